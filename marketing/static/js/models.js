/* Whom to reach: the slider walks over exact sums by percentile that the page came with. */
(() => {
  const box = document.getElementById("reach"), read = document.getElementById("reach-data");
  if (!box || !read) return;
  const data = JSON.parse(read.textContent), slices = data.slices, total = slices[slices.length - 1];
  const language = document.documentElement.lang || "en";
  const whole = new Intl.NumberFormat(language, { maximumFractionDigits: 0 });
  const share = digits => new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: digits, minimumFractionDigits: digits });
  const money = new Intl.NumberFormat(language, { style: "currency", currency: data.currency, currencyDisplay: "narrowSymbol", maximumFractionDigits: Math.abs(total.expected) < 1000 ? 2 : 0 });
  const range = box.querySelector("#reach-range"), worth = box.querySelector("#reach-worth"), cost = box.querySelector("#reach-cost");
  const best = box.querySelector("#reach-best"), form = box.querySelector("#reach-segment"), bars = [...box.querySelectorAll(".m-hist i")];
  const chance = data.kind === "chance", effect = data.kind === "effect";
  const points = v => data.points.replace("%s", `${v < 0 ? "−" : "+"}${new Intl.NumberFormat(language, { minimumFractionDigits: 1, maximumFractionDigits: 1 }).format(Math.abs(v) * 100)}`);
  const out = (name, text) => { const n = box.querySelector(`[data-out="${name}"]`); if (n) n.textContent = text; };
  const profit = s => {
    if (worth.value === "" && cost.value === "") return null;
    const counted = chance || effect, each = Number(worth.value || (counted ? 0 : 100));
    return s.expected * (counted ? each : each / 100) - s.people * Number(cost.value || 0);
  };
  const show = () => {
    const s = slices[Number(range.value)], earned = profit(s);
    out("share", share(0).format(s.people / total.people));
    out("people", whole.format(s.people));
    out("expected", chance || effect ? whole.format(s.expected) : money.format(s.expected));
    out("vain", whole.format(Math.max(s.people - s.expected, 0)));
    out("found", share(0).format(total.expected ? s.expected / total.expected : 0));
    out("least", effect ? points(s.least) : chance ? share(1).format(s.least) : money.format(s.least));
    if (effect) out("average", points(s.people ? s.expected / s.people : 0));
    out("profit", earned === null ? "–" : money.format(earned));
    range.setAttribute("aria-valuetext", box.querySelector(".m-sentence").textContent);
    const next = (i) => i + 1 < bars.length ? Number(bars[i + 1].dataset.from) : Infinity;
    bars.forEach((bar, i) => bar.classList.toggle("on", next(i) > s.least));
    if (form) {
      const top = 100 - s.above;
      form.elements.rule.value = JSON.stringify({ all: [{ score: form.dataset.key, op: "top", value: top }] });
      form.elements.name.value = form.dataset.name.replace("%s", `${top}%`);
      form.querySelector("button").disabled = false;
    }
  };
  best.addEventListener("click", () => {
    if (profit(total) === null) { worth.focus(); return; }
    let at = 0;
    slices.forEach((s, i) => { if (profit(s) > profit(slices[at])) at = i; });
    range.value = at; show();
  });
  for (const control of [range, worth, cost]) control.addEventListener("input", show);
  show();
})();
/* A new prediction: parts of the form that belong to a choice, and a fresh look at the data after each. */
(() => {
  const form = document.getElementById("ask"), check = document.getElementById("check");
  if (!form) return;
  const kind = () => form.elements.type.value, who = () => form.elements.who.value, days = form.elements.horizon_days, title = form.elements.title;
  let own = title.value !== "", timer = 0;
  const show = () => {
    for (const part of form.querySelectorAll("[data-for]")) part.hidden = !part.dataset.for.split(" ").includes(kind());
    for (const part of form.querySelectorAll("[data-not]")) part.hidden = part.dataset.not.split(" ").includes(kind());
    for (const part of form.querySelectorAll("[data-who]")) part.hidden = !part.dataset.who.split(" ").includes(who());
    for (const b of form.querySelectorAll("[data-days]")) b.setAttribute("aria-pressed", String(b.dataset.days === days.value));
    if (own) return;
    const event = form.elements.event, card = form.querySelector("input[name=type]:checked")?.closest(".choice")?.querySelector("b");
    const what = /event$/.test(kind()) && event.value ? event.value : card ? card.textContent : "";
    title.value = kind() === "attribute" ? [form.elements.attribute.value, form.elements.value.value].filter(Boolean).join(" ") : form.dataset.title.replace("%(what)s", what).replace("%(days)s", days.value);
  };
  const ask = wait => { clearTimeout(timer); timer = setTimeout(() => htmx.trigger(check, "asked"), wait); };
  form.addEventListener("click", e => { const b = e.target.closest("[data-days]"); if (b) { days.value = b.dataset.days; show(); ask(0); } });
  form.addEventListener("input", e => { if (e.target === title) { own = title.value !== ""; return; } show(); ask(e.target.matches("input:not([type=radio])") ? 500 : 100); });
  show();
})();
