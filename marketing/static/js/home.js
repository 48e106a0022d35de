/* Home: the strip of numbers is a tab list for one chart; the same data stands behind "Show as table". */
document.addEventListener("alpine:init", () => {
  const source = document.getElementById("series"), S = source ? JSON.parse(source.textContent) : {}, said = document.documentElement.dataset;
  const df = new Intl.DateTimeFormat(ui.lang, { day: "numeric", month: "short", timeZone: "UTC" });
  const day = d => df.format(new Date(d + "T00:00:00Z"));
  const short = v => (v >= 1e6 ? (v / 1e6).toFixed(1) + "M" : v >= 1000 ? (v / 1000).toFixed(1).replace(/\.0$/, "") + "k" : String(Math.round(v)));
  const fmt = m => (v, brief) => (m.kind === "money" ? m.symbol : "") + (brief ? short(v) : Math.round(v).toLocaleString("en"));
  Alpine.data("metrics", () => ({
    cur: "revenue", table: false, m: null,
    get label() { return S[this.cur].label; }, get sentence() { return S[this.cur].sentence; },
    get tableLabel() { return this.table ? said.tChart : said.tTable; }, get tableAria() { return this.table ? "true" : "false"; },
    toggleTable() { this.table = !this.table; if (!this.table) this.$nextTick(() => this.m.chart.resize()); },
    init() { this.m = charts.mount(this.$root.querySelector("#main-chart"), (t, b, alpha) => this.option(t, b, alpha)); this.rows(); },
    pick(e) { this.go(e.currentTarget); },
    go(btn) {
      ui.$$('[role="tab"]', this.$root).forEach(x => { const on = x === btn; x.setAttribute("aria-selected", on); x.tabIndex = on ? 0 : -1; });
      this.cur = btn.dataset.id; ui.$("#kpi-panel").setAttribute("aria-labelledby", btn.id); this.m.draw(); this.rows();
    },
    keys(e) { const k = { ArrowRight: 1, ArrowLeft: -1 }[e.key]; if (!k) return; e.preventDefault(); const tabs = ui.$$('[role="tab"]', this.$root), n = tabs[(tabs.indexOf(document.activeElement) + k + tabs.length) % tabs.length]; n.focus(); this.go(n); },
    rows() { const m = S[this.cur], f = fmt(m); ui.$("#main-rows").replaceChildren(...m.days.map((d, i) => { const r = ui.el("tr"); r.append(ui.el("td", "", day(d)), ui.el("td", "end num", f(m.now[i])), ui.el("td", "end num", f(m.prev[i]))); return r; })); },
    option(t, b, alpha) {
      const m = S[this.cur], f = fmt(m), days = m.days.map(day);
      return { ...b,
        xAxis: { ...b.xAxis, type: "category", data: days, boundaryGap: false },
        yAxis: { ...b.yAxis, type: "value", splitNumber: 3, min: 0, minInterval: m.kind === "money" ? undefined : 1, axisLabel: { ...b.yAxis.axisLabel, formatter: v => f(v, true) } },
        tooltip: { ...b.tooltip, formatter: p => `{h|${days[p[0].dataIndex]}}\n{b|${f(m.now[p[0].dataIndex])}}  {m|(${f(m.prev[p[0].dataIndex])})}` },
        series: [
          { type: "line", data: m.prev, showSymbol: false, lineStyle: { color: t["text-3"], width: 1.5, type: [3, 4], opacity: .75 }, itemStyle: { color: t["text-3"] }, smooth: .25, smoothMonotone: "x", z: 1 },
          { type: "line", data: m.now, showSymbol: false, symbolSize: 7, smooth: .25, smoothMonotone: "x", lineStyle: { color: t.c1, width: 2.25 }, itemStyle: { color: t.c1, borderColor: t.surface, borderWidth: 2 }, areaStyle: { color: { type: "linear", x: 0, y: 0, x2: 0, y2: 1, colorStops: [{ offset: 0, color: alpha(t.c1, .17) }, { offset: 1, color: alpha(t.c1, 0) }] } }, z: 2 },
        ],
      };
    },
  }));
  /* when a job of this page ends, its numbers are new: draw the page again, unless somebody is typing */
  Alpine.data("reloadOnEnd", () => ({
    init() { document.body.addEventListener("job-ended", () => setTimeout(() => { if (!document.querySelector("dialog[open], :popover-open")) location.reload(); }, 1500)); },
  }));
});
