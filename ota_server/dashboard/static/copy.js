// SPDX-License-Identifier: Apache-2.0
// Buttons that copy what their data-copy says. Without this file they are not shown.
"use strict";

(() => {
  for (const button of document.querySelectorAll("button[data-copy]")) {
    const words = button.textContent;
    button.hidden = false;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(button.dataset.copy);
        button.textContent = "Copied";
      } catch {
        button.textContent = "Not copied: the browser refuses";
      }
      setTimeout(() => { button.textContent = words; }, 2000);
    });
  }
})();
