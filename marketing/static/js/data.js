/* Charts of the data pages: <div class="q-chart" data-chart="stack|lines|band|share" data-from="#json-id">. Colours come from the tokens. */
(() => {
  const lang = ui.lang;
  const utc = { timeZone: "UTC" }, dayF = new Intl.DateTimeFormat(lang, { day: "numeric", month: "short", ...utc });
  const hourF = new Intl.DateTimeFormat(lang, { hour: "2-digit", minute: "2-digit" });
  const label = (text, unit) => (unit === "hour" ? hourF.format(new Date(text)) : dayF.format(new Date(text.length === 10 ? text + "T00:00:00Z" : text)));
  const n = v => (v == null ? "–" : v.toLocaleString(lang, { maximumFractionDigits: 1 }));
  const brief = v => (v >= 1e6 ? n(v / 1e6) + "M" : v >= 1000 ? n(v / 1000) + "k" : n(v));
  const colours = ["c1", "c2", "c3", "c6", "c5", "c8"];
  const axis = (b, labels, unit, gap) => ({ ...b.xAxis, type: "category", boundaryGap: gap, data: labels.map(t => label(t, unit)) });
  const rows = (p, D, suffix) => p.filter(x => x.seriesName && x.value != null).map(x => `{b|${n(x.value)}${suffix}}  {m|${x.seriesName}}`).join("\n");
  const kinds = {
    stack: (D, t, b) => ({ ...b, xAxis: axis(b, D.labels, D.unit, true), yAxis: { ...b.yAxis, type: "value", splitNumber: 3, minInterval: 1, axisLabel: { ...b.yAxis.axisLabel, formatter: brief } },
      tooltip: { ...b.tooltip, axisPointer: { type: "shadow", shadowStyle: { opacity: .08 } }, formatter: p => `{h|${p[0].name}}\n` + rows(p.filter(x => x.value), D, "") },
      series: D.series.map((s, i) => ({ type: "bar", stack: "all", name: s.name, data: s.data, barCategoryGap: "28%", itemStyle: { color: t[colours[i % colours.length]] } })) }),
    lines: (D, t, b, alpha) => ({ ...b, xAxis: axis(b, D.labels, "day", false), yAxis: { ...b.yAxis, type: "value", splitNumber: 3, max: 100, scale: true },
      tooltip: { ...b.tooltip, formatter: p => `{h|${p[0].name}}\n` + rows(p, D, "") },
      series: D.series.map((s, i) => ({ type: "line", name: s.name || D.whole, data: s.data, connectNulls: true, showSymbol: s.data.filter(x => x != null).length < 3, symbolSize: 7, smooth: .2, smoothMonotone: "x", z: s.key ? 1 : 3, lineStyle: { color: s.key ? t["text-3"] : t.c1, width: s.key ? 1 : 2.5, opacity: s.key ? .5 : 1 }, itemStyle: { color: s.key ? t["text-3"] : t.c1 }, areaStyle: s.key ? undefined : { color: alpha(t.c1, .08) } })) }),
    band: (D, t, b, alpha) => ({ ...b, xAxis: axis(b, D.labels, "day", false), yAxis: { ...b.yAxis, type: "value", splitNumber: 3, min: 0, axisLabel: { ...b.yAxis.axisLabel, formatter: brief } },
      tooltip: { ...b.tooltip, formatter: p => { const i = p[0].dataIndex; return `{h|${p[0].name}}\n{b|${n(D.rows[i])}}  {m|${D.words.rows}}` + (D.expected[i] == null ? "" : `\n{m|${D.words.usual} ${n(D.low[i])}–${n(D.high[i])}}`); } },
      series: [
        { type: "line", data: D.low, stack: "band", showSymbol: false, lineStyle: { opacity: 0 }, silent: true },
        { type: "line", data: D.high.map((h, i) => (h == null ? null : h - D.low[i])), stack: "band", showSymbol: false, lineStyle: { opacity: 0 }, areaStyle: { color: alpha(t["text-3"], .16) }, silent: true },
        { type: "line", name: D.words.rows, data: D.rows, showSymbol: true, symbolSize: 5, lineStyle: { color: t.c1, width: 2 }, itemStyle: { color: t.c1 } },
      ] }),
    share: (D, t, b, alpha) => ({ ...b, xAxis: axis(b, D.labels, "day", false), yAxis: { ...b.yAxis, type: "value", splitNumber: 3, max: 100, min: v => Math.max(0, Math.floor(v.min - 5)), axisLabel: { ...b.yAxis.axisLabel, formatter: v => v + "%" } },
      tooltip: { ...b.tooltip, formatter: p => `{h|${p[0].name}}\n{b|${n(p[0].value)}%}` },
      series: [{ type: "line", data: D.rows, showSymbol: D.rows.length < 4, smooth: .15, lineStyle: { color: t.c1, width: 2.25 }, itemStyle: { color: t.c1 }, areaStyle: { color: alpha(t.c1, .1) } }] }),
  };
  addEventListener("DOMContentLoaded", () => document.querySelectorAll("[data-chart]").forEach(el => {
    const source = document.querySelector(el.dataset.from); if (!source) return;
    const data = JSON.parse(source.textContent);
    charts.mount(el, (t, b, alpha) => kinds[el.dataset.chart](data, t, b, alpha));
  }));
  /* an event that somebody reads stays: the list renews itself again when it is closed */
  const reading = () => document.querySelector("#event-rows details[open]");
  document.addEventListener("htmx:beforeRequest", e => { if (e.target.id === "event-rows" && reading()) e.preventDefault(); });
  document.addEventListener("toggle", e => {
    if (!e.target.matches?.("#event-rows details")) return;
    const rows = document.getElementById("event-rows"); rows.classList.toggle("paused", Boolean(reading()));
    if (!e.target.open && rows.dataset.poll && !reading()) htmx.trigger(rows, "poll-again");
  }, true);
})();
