// SPDX-License-Identifier: Apache-2.0
// Replaces the regions of a page that have changed. Without this file a page shows what was true when it was loaded.
"use strict";

(() => {
  const source = document.body.dataset.live;
  if (!source || !("EventSource" in window)) return;

  const replace = (id, html) => {
    const region = document.getElementById(id);
    if (!region) return;
    // A button under the finger must not go away: wait until it is let go.
    if (region.contains(document.activeElement) && document.activeElement.matches("button:active")) return;
    const focused = region.contains(document.activeElement) ? [...region.querySelectorAll("a,button")].indexOf(document.activeElement) : -1;
    region.innerHTML = html;
    if (focused >= 0) region.querySelectorAll("a,button")[focused]?.focus({ preventScroll: true });
  };

  let events;
  const listen = () => {
    events?.close();
    // What a page is asked for stands in its address, which a filter changes.
    events = new EventSource("liveQuery" in document.body.dataset ? source + location.search : source);
    events.addEventListener("regions", (event) => {
      for (const [id, html] of Object.entries(JSON.parse(event.data))) replace(id, html);
      document.dispatchEvent(new CustomEvent("muster:replaced"));
      document.body.dataset.state = "live";
    });
    events.addEventListener("error", () => { document.body.dataset.state = "lost"; });
  };
  listen();
  document.addEventListener("htmx:after:history:update", listen);
})();
