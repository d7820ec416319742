// SPDX-License-Identifier: Apache-2.0
// Draws the numbers of a table as a chart above it: <div data-chart="ID of the table">. The first column is a time or a number;
// the others say in their heads with which colour token (data-color), and whether dashed (data-dash) or upon the ones
// before (data-stacked). Without this file the table is there all the same.
"use strict";

(() => {
  const HEIGHT = 240;
  const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

  const read = (table) => {
    const heads = [...table.tHead.rows[0].cells].slice(1).filter((head) => "color" in head.dataset);
    const rows = [...table.tBodies[0].rows].map((row) => [...row.cells]);
    const isTime = rows[0][0].querySelector("time") !== null;
    const times = rows.map(([first]) => (isTime ? Date.parse(first.querySelector("time").dateTime) / 1000 : Number(first.textContent)));
    const columns = heads.map((_, index) => rows.map((cells) => {
      const text = cells[index + 1].textContent.replaceAll(",", "");
      return text === "–" ? null : Number(text);
    }));
    heads.forEach((head, index) => {
      if (!("stacked" in head.dataset) || !index) return;
      columns[index] = columns[index].map((value, row) => (value ?? 0) + (columns[index - 1][row] ?? 0));
    });
    // Two rows of one time are one: a chart's times rise.
    const order = times.map((_, index) => index).sort((one, other) => times[one] - times[other]);
    const data = [[], ...columns.map(() => [])];
    for (const index of order) {
      const last = data[0].length - 1;
      if (data[0][last] !== times[index]) {
        data[0].push(times[index]);
        columns.forEach((column, number) => data[number + 1].push(column[index]));
      } else columns.forEach((column, number) => { data[number + 1][last] = column[index] ?? data[number + 1][last]; });
    }
    return { heads, data, isTime };
  };

  const make = (place, table) => {
    const { heads, data, isTime } = read(table);
    const axis = { stroke: token("quiet"), grid: { stroke: token("line"), width: 1 }, ticks: { stroke: token("line"), width: 1 }, font: "12px system-ui, sans-serif" };
    const stepped = uPlot.paths.stepped({ align: 1 });
    const series = heads.map((head) => {
      const color = token(head.dataset.color);
      const value = (_, raw, number, index) => {
        if (raw === null || raw === undefined) return "–";
        const below = "stacked" in head.dataset && number > 1 && index !== null ? data[number - 1][index] : 0;
        return (raw - below).toLocaleString("en");
      };
      const line = { label: head.textContent, stroke: color, width: 2, value, points: { show: data[0].length < 3 } };
      if ("stacked" in head.dataset) return { ...line, width: 1, fill: head === heads[0] ? color : undefined, points: { show: false } };
      if ("dash" in head.dataset) return { ...line, dash: [6, 6], points: { show: false }, spanGaps: true };
      return { ...line, paths: stepped, spanGaps: true };
    });
    const count = { ...axis, size: 64, values: (_, ticks) => ticks.map((tick) => (Number.isInteger(tick) ? tick.toLocaleString("en") : "")) };
    const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
    const day = (seconds) => new Date(seconds * 1000).toLocaleDateString("en-GB", { day: "numeric", month: "short" });
    const time = { ...axis, space: 72, values: (_, ticks, __, ___, step) => ticks.map((tick, index) => {
      if (step >= 86400) return day(tick);
      return index && day(tick) === day(ticks[index - 1]) ? clock(tick) : `${clock(tick)}\n${day(tick)}`;
    }) };
    const bands = heads.flatMap((head, index) => ("stacked" in head.dataset && index ? [{ series: [index + 1, index], fill: token(head.dataset.color) }] : []));
    const options = {
      width: place.clientWidth, height: HEIGHT, series: [isTime ? { value: "{YYYY}-{MM}-{DD} {HH}:{mm}" } : { label: table.tHead.rows[0].cells[0].textContent }, ...series],
      axes: [isTime ? time : count, count], bands,
      scales: { x: { time: isTime }, y: { range: (_, __, most) => [0, Math.max(most * 1.05, 1)] } },
    };
    return new uPlot(options, data, place);
  };

  const charts = new Map();
  const draw = (place) => {
    const table = document.getElementById(place.dataset.chart);
    const hasRows = table?.tBodies[0]?.rows.length;
    place.hidden = !hasRows;
    if (!hasRows) return;
    const heads = table.tHead.textContent;
    const known = charts.get(place);
    if (known?.heads === heads) return known.plot.setData(read(table).data);
    known?.plot.destroy();
    charts.set(place, { heads, plot: make(place, table) });
  };
  const places = () => document.querySelectorAll("[data-chart]");
  const again = () => {
    for (const { plot } of charts.values()) plot.destroy();
    charts.clear();
    places().forEach(draw);
  };

  places().forEach(draw);
  document.addEventListener("muster:replaced", () => places().forEach(draw));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  addEventListener("resize", () => { for (const [place, { plot }] of charts) plot.setSize({ width: place.clientWidth, height: HEIGHT }); });
})();
