// SPDX-License-Identifier: Apache-2.0
// Shows a brand while it is typed in. Without this file the button Preview does.
"use strict";

(() => {
  const form = document.getElementById("brand");
  if (!form) return;
  const hex = /^#[0-9a-f]{6}$/;
  const least = 4.5;
  const linear = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  const luminance = (color) => {
    const [red, green, blue] = [1, 3, 5].map((at) => linear(parseInt(color.slice(at, at + 2), 16) / 255));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const contrast = (one, other) => {
    const [darker, lighter] = [luminance(one), luminance(other)].sort((first, second) => first - second);
    return (lighter + 0.05) / (darker + 0.05);
  };
  form.addEventListener("input", () => {
    const [color, background] = ["color", "background"].map((name) => form.elements[name].value.trim().toLowerCase());
    for (const place of document.querySelectorAll("[data-brand-name]")) place.textContent = form.elements.name.value;
    if (!hex.test(color) || !hex.test(background)) return;
    const ratio = contrast(color, background);
    form.querySelector("[data-contrast]").textContent = ratio < least
      ? `Contrast ${ratio.toFixed(1)} : 1: too little to be read. At least ${least} : 1 is needed.`
      : `Contrast ${ratio.toFixed(1)} : 1; at least ${least} : 1 can be read (WCAG 2.2).`;
    if (ratio >= least) document.getElementById("preview-colors").href = `/brand/previews/${color.slice(1)}-${background.slice(1)}.css`;
  });
})();
