// SPDX-License-Identifier: Apache-2.0
// Says exact times in the viewer's zone; without this file they are said in UTC.
"use strict";

(() => {
  // Sweden writes years first, as the server does.
  const clock = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "medium" });
  const minutes = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "short" });
  const zone = new Intl.DateTimeFormat("en-GB", { timeZoneName: "short" });

  const say = (element) => {
    const at = new Date(element.dateTime);
    const where = zone.formatToParts(at).find((part) => part.type === "timeZoneName").value;
    const exact = `${clock.format(at)} ${where}`;
    if (element.title === exact) return;
    element.title = exact;
    if ("exact" in element.dataset) element.textContent = `${minutes.format(at)} ${where}`;
  };
  const sayAll = (root) => root.querySelectorAll("time[datetime]").forEach(say);

  sayAll(document);
  // Regions of a page are replaced when they change.
  new MutationObserver((changes) => {
    for (const change of changes) if (change.addedNodes.length) sayAll(change.target);
  }).observe(document.getElementById("content"), { childList: true, subtree: true });
})();
