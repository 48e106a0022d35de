/* The editor of a rule in a dialog: the same questions as the segment builder asks, fetched when first needed. */
(() => {
  const { $, el, svg } = ui;

  window.journeyRules = data => {
    const dialog = $("#j-rule"), w = data.said.words; let offered = null, editors = null, top = null, done = null, timer = 0, abort = null, sentence = "", into = null;
    const load = async () => {
      if (offered) return; const answer = await fetch(data.urls.questions); if (!answer.ok) throw new Error("questions");
      offered = await answer.json(); const menu = $("#j-ask");
      offered.menu.forEach(group => { menu.append(el("div", "mh", group.label)); group.items.forEach(item => { const b = el("button", "mi"); b.type = "button"; b.append(svg(item.icon), item.words); b.addEventListener("click", () => { (into || top).items.push({ not: false, q: editors.begin[item.kind](item.name) }); draw(); menu.hidePopover(); focusLast(); }); menu.append(b); }); });
      const names = $("#j-rule-names"); Object.entries({ events: offered.data.events.map(e => e.name), ...offered.suggested }).forEach(([key, all]) => { const list = el("datalist"); list.id = "s-" + key; all.forEach(one => { const o = el("option"); o.value = Array.isArray(one) ? one[0] : one; list.append(o); }); names.append(list); });
      editors = segmentEditors({ ...offered.data, canEdit: false }, { draw: () => draw(), touch: () => changed() });
    };
    const focusLast = () => { const rows = dialog.querySelectorAll(".rrow"); rows[rows.length - 1]?.querySelector(".rf select, .rf input, .rf button")?.focus(); };
    const tools = (n, parent) => {
      const q = offered.data.words, flip = editors.button("user-x", n.not ? w.takeIn : w.leaveOut, () => { n.not = !n.not; draw(); }); flip.setAttribute("aria-pressed", n.not);
      return [flip, editors.button("x", n.items ? q.removeGroup : q.remove, () => { parent.items.splice(parent.items.indexOf(n), 1); draw(); ($("#j-rule-rows button") || $("#j-rule-add")).focus(); })];
    };
    const row = (n, parent) => {
      const q = offered.data.words;
      if (n.items) {
        const g = el("div", "rgroup" + (n.not ? " is-ex" : "")), head = el("div", "s-head"), pick = editors.select([["any", q.anyOf], ["all", q.allOf]], n.op, q.matchGroup, v => { n.op = v; draw(); }); pick.classList.add("mini");
        head.append(pick); if (n.not) head.append(el("span", "s-not", q.not)); head.append(...tools(n, parent)); g.append(head, ...n.items.map(m => row(m, n)));
        const add = editors.more(q.addInside, () => { into = n; }); add.setAttribute("popovertarget", "j-ask"); g.append(add); return g;
      }
      const look = editors.look(n.q), r = el("div", "rrow" + (n.not ? " is-ex" : "")), tile = el("span", "tile s " + look.hue), box = el("div", "rf");
      tile.append(svg(look.icon)); if (n.not) box.append(el("span", "s-not", q.not)); editors.edit[editors.head(n.q)](n.q, box); r.append(tile, box, ...tools(n, parent)); return r;
    };
    const draw = () => { $("#j-rule-op").value = top.op; $("#j-rule-rows").replaceChildren(...top.items.map(n => row(n, top))); $("#j-rule-none").hidden = top.items.length > 0; changed(); };
    const changed = () => { clearTimeout(timer); timer = setTimeout(count, 300); };
    const count = async () => {
      abort?.abort(); abort = new AbortController(); const body = new FormData(); body.append("rule", JSON.stringify(editors.out(top))); body.append("token", data.token); body.append("seed", 0);
      const fault = $("#j-rule-fault"), said = $("#j-rule-said");
      try {
        const answer = await fetch(data.urls.preview, { method: "POST", body, headers: JSON.parse(document.body.getAttribute("hx-headers")), signal: abort.signal }); if (!answer.ok || answer.status === 204) return;
        const found = await answer.json(); fault.hidden = !found.fault; $("#j-rule-keep").disabled = !!found.fault && !found.fault.again;
        if (found.fault) { fault.querySelector("span").textContent = found.fault.message; said.textContent = ""; return; }
        sentence = found.meaning; const n = top.items.length ? found.left[found.left.length - 1] : found.start; said.textContent = `${sentence} ${n == null ? "" : w.count.replace("%s", (found.exact ? "" : "≈ ") + n.toLocaleString())}`;
      } catch (error) { if (error.name !== "AbortError") said.textContent = ""; }
    };
    $("#j-rule-op").addEventListener("change", e => { top.op = e.target.value; draw(); });
    $("#j-rule-add").addEventListener("click", () => { into = null; });
    $("#j-rule-group").addEventListener("click", () => { top.items.push({ not: false, op: top.op === "all" ? "any" : "all", items: [] }); draw(); });
    $("#j-rule-keep").addEventListener("click", () => { const rule = top.items.length ? editors.out(top) : undefined; dialog.close(); done?.(rule, rule ? sentence : w.everyone); });
    return {
      async edit(rule, then) {
        try { await load(); } catch { ui.toast({ title: w.lost, tone: "bad", icon: "alert-triangle" }); return; }
        const read = segmentEditors.read(rule || { all: [] }); top = read.items && !read.not ? read : { not: false, op: "all", items: [read] }; done = then; sentence = ""; dialog.showModal(); draw(); if (!top.items.length) $("#j-rule-add").focus();
      },
    };
  };
})();
