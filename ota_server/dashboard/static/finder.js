// SPDX-License-Identifier: Apache-2.0
// Ctrl-K opens a search over everything; arrows choose, Enter goes there, Escape closes.
"use strict";

(() => {
  const dialog = document.getElementById("finder");
  if (!dialog) return;
  const input = dialog.querySelector("[name=q]");

  const open = () => {
    if (!dialog.open) dialog.showModal();
    input.select();
  };

  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      open();
    }
  });
  document.querySelector("[data-finder]")?.addEventListener("click", (event) => {
    event.preventDefault();
    open();
  });
  dialog.addEventListener("keydown", (event) => {
    const hits = [...dialog.querySelectorAll(".found a")];
    const at = hits.indexOf(document.activeElement);
    if (event.key === "ArrowDown" && hits.length) (hits[at + 1] ?? hits[0]).focus();
    else if (event.key === "ArrowUp" && at >= 0) (hits[at - 1] ?? input).focus();
    else if (event.key === "Enter" && at < 0 && hits.length) hits[0].click();
    else return;
    event.preventDefault();
  });
  dialog.addEventListener("click", (event) => {
    // Its own area is filled by what is in it: this is the backdrop.
    if (event.target === dialog) dialog.close();
  });
})();
