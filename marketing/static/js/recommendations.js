/* Recommendations: one bar chart of the engines; the table beside it holds the same figures. */
document.addEventListener("alpine:init", () => {
  const source = document.getElementById("engine-figures"), rows = source ? JSON.parse(source.textContent) : [];
  const bar = (name, values, colour, quiet) => ({ name, type: "bar", data: values.map((v, i) => ({ value: v, itemStyle: { opacity: rows[i].serves ? 1 : quiet } })), itemStyle: { color: colour, borderRadius: [0, 3, 3, 0] }, barMaxWidth: 18, barGap: "30%", label: { show: true, position: "right", formatter: p => p.value.toFixed(3), fontSize: 11 } });
  Alpine.data("engines", () => ({
    init() {
      const drawn = this.$root.querySelector("#engine-chart");
      drawn.style.blockSize = `${Math.max(236, 44 + 38 * rows.length)}px`; // two bars and their figures an engine
      charts.mount(drawn, (t, b) => {
        const colour = s => ({ ...s, label: { ...s.label, color: t["text-2"] } });
        return { ...b,
          grid: { ...b.grid, right: 44 },
          tooltip: { ...b.tooltip, axisPointer: { type: "none" }, formatter: p => `{h|${p[0].name}}\n` + p.map(x => `{b|${x.value.toFixed(4)}}  {m|${x.seriesName}}`).join("\n") },
          xAxis: { ...b.xAxis, type: "value", splitNumber: 3, splitLine: { lineStyle: { color: t.grid } }, axisLine: { show: false } },
          yAxis: { ...b.yAxis, type: "category", data: rows.map(r => r.title), axisTick: { show: false }, axisLine: { show: false }, axisLabel: { ...b.yAxis.axisLabel, width: 110, overflow: "break" } },
          series: [colour(bar("Recall@10", rows.map(r => r.recall), t.c2, .7)), colour(bar("NDCG@10", rows.map(r => r.ndcg), t.c1, .7))],
        };
      });
    },
  }));
  Alpine.data("reloadOnEnd", () => ({
    init() { document.body.addEventListener("job-ended", () => setTimeout(() => { if (!document.querySelector("dialog[open]")) location.reload(); }, 1200)); },
  }));
});
