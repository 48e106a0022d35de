/* The form of a step, made of the settings that its kind has. Each type of setting has one editor; an editor shows a
   value and says when it changed. Forms are drawn again only when what they ask for changes, so typing keeps its place. */
(() => {
  const { el, svg } = ui;

  /* `data` is what the page offers; `rules` opens the editor of rules */
  window.journeyForms = (data, rules) => {
    const w = data.said.words, options = data.options;
    let count = 0;
    const number = text => (text.trim() === "" || isNaN(text) ? null : Number(text));
    const input = (type, value, on, more = {}) => {
      const i = el("input", "input " + (more.cls || "")); i.type = type; i.value = value ?? ""; i.autocomplete = "off";
      ["min", "max", "step", "placeholder", "list", "maxlength"].forEach(k => { if (more[k] != null) i.setAttribute(k, more[k]); });
      if (more.label) i.setAttribute("aria-label", more.label);
      i.addEventListener("input", () => on(i.value)); return i;
    };
    const select = (pairs, value, on, label) => {
      const s = el("select", "select"); if (label) s.setAttribute("aria-label", label);
      pairs.forEach(([v, text]) => { const o = el("option", "", text); o.value = v; o.selected = String(v) === String(value ?? ""); s.append(o); });
      s.addEventListener("change", () => on(s.value)); return s;
    };
    const chosen = (rows, value, on, label) => {
      const known = value == null || rows.some(([v]) => String(v) === String(value));
      return select([["", w.choose], ...rows, ...(known ? [] : [[value, "#" + value]])], value, on, label);
    };
    const button = (text, icon, on, cls = "btn sm") => { const b = el("button", cls); b.type = "button"; if (icon) b.append(svg(icon)); if (/icon-only/.test(cls)) { b.setAttribute("aria-label", text); b.title = text; } else b.append(text); b.addEventListener("click", on); return b; };
    const note = (text, icon = "info-circle") => { const p = el("p", "flash"); p.append(svg(icon), el("span", "", text)); return p; };

    /* a label, its control and the place where a fault is said */
    const field = (path, label, control, hint) => {
      const box = el("div", "field"), id = "jf" + ++count, group = !control.matches("input, select, textarea");
      box.dataset.path = path;
      const name = el(group ? "span" : "label", "label", label); name.id = id + "-l";
      if (group) { control.setAttribute("role", "group"); control.setAttribute("aria-labelledby", name.id); } else { control.id = id; name.htmlFor = id; }
      box.append(name, control); if (hint) { const h = el("span", "hint", hint); h.id = id + "-h"; box.append(h); if (!group) control.setAttribute("aria-describedby", h.id); }
      return box;
    };
    const pair = (...parts) => { const d = el("div", "two-f"); d.append(...parts); return d; };

    const span = (value, set) => {
      let [unit, n] = Object.entries(value || { days: 1 })[0] || ["days", 1];
      const say = () => set(n ? { [unit]: n } : null);
      return pair(
        input("number", n, v => { n = number(v); if (n != null) n = Math.round(n); say(); }, { min: 1, step: 1, label: w.value }),
        select(Object.entries(data.said.units), unit, v => { unit = v; say(); }, w.unit));
    };
    const value = (now, set) => {
      const kind = now === null || now === undefined ? "none" : typeof now === "boolean" ? "flag" : typeof now === "number" ? "number" : "text";
      const box = pair();
      const draw = (k, v) => {
        box.replaceChildren(select([["text", w.asText], ["number", w.asNumber], ["flag", w.asFlag], ["none", w.asNone]], k, to => { const begin = { text: "", number: 1, flag: true, none: null }[to]; set(begin); draw(to, begin); }, w.kindOfValue));
        if (k === "text") box.append(input("text", v, t => set(t), { label: w.value })); if (k === "number") box.append(input("number", v, t => set(number(t)), { step: "any", label: w.value }));
        if (k === "flag") box.append(select([["true", w.yes], ["false", w.no]], String(v), t => set(t === "true"), w.value));
      };
      draw(kind, now); return box;
    };
    const weekdays = (now, set) => {
      const box = el("div", "s-toggles"); let days = [...(now || [])];
      Object.entries(data.said.weekdays).forEach(([k, name]) => { const b = el("button", "tok", name); b.type = "button"; b.setAttribute("aria-pressed", days.includes(k)); b.addEventListener("click", () => { days = days.includes(k) ? days.filter(d => d !== k) : Object.keys(data.said.weekdays).filter(d => d === k || days.includes(d)); b.setAttribute("aria-pressed", days.includes(k)); set(days.length ? days : undefined); }); box.append(b); });
      return box;
    };
    /* tests on the properties of an event */
    const tests = (now, set, event) => {
      const rows = structuredClone(now || []), box = el("div", "rules-in"), names = options.event.find(e => e.name === event)?.properties || [];
      const say = () => set(rows.length ? rows.map(r => ({ ...r })) : undefined);
      const held = (row, text) => { const n = number(text); row.value = ["<", "<=", ">", ">="].includes(row.op) || (names.find(p => p.name === row.property)?.number && n != null) ? n : text; };
      const draw = () => {
        box.replaceChildren();
        rows.forEach((row, i) => {
          const line = el("div", "j-test");
          line.append(
            chosenName(row.property, names.map(p => p.name), v => { row.property = v; say(); }, w.property),
            select(data.propertyOps, row.op, v => { row.op = v; if (v === "known") delete row.value; else held(row, String(row.value ?? "")); say(); draw(); }, w.comparison));
          if (row.op !== "known") line.append(input("text", row.value, v => { held(row, v); say(); }, { label: w.value }));
          line.append(button(w.remove, "x", () => { rows.splice(i, 1); say(); draw(); }, "btn ghost sm icon-only")); box.append(line);
        });
        box.append(button(w.test, "plus", () => { rows.push({ property: names[0]?.name || "", op: "=", value: "" }); draw(); box.querySelector(".j-test:last-of-type input")?.focus(); say(); }, "btn ghost sm"));
      };
      draw(); return box;
    };
    /* a name that may be typed freely, with those that are known offered */
    const chosenName = (now, names, set, label) => {
      const list = el("datalist"); list.id = "jd" + ++count; names.forEach(n => { const o = el("option"); o.value = n; list.append(o); }); ui.$("#j-names").append(list);
      return input("text", now, v => set(v.trim()), { label, list: list.id, maxlength: 200 });
    };
    const rule = (now, set, said) => {
      const box = el("div", "j-rule"), text = el("p", "", said || (now ? "" : w.everyone)); box.append(text);
      const open = button(w.editRule, "adjustments-horizontal", () => rules.edit(now, (next, sentence) => { now = next; text.textContent = sentence || ""; set(next); })); box.append(open);
      return box;
    };

    /* one editor for each type: (field, value, set, node) → control */
    const lists = { template: node => options.template.filter(t => t.kind === (node.channel || "email")), segment: () => options.segment, list: () => options.list, journey: () => options.journey, channel_id: node => (options.channel || []).filter(c => c.kind === (node.channel || node.kind)) };
    const editors = {
      span: (f, v, set) => span(v, set),
      time: (f, v, set) => input("time", v, t => set(t || undefined)),
      date: (f, v, set) => input("date", v, t => set(t || undefined)),
      id: (f, v, set, node) => chosen(lists[f.key](node).map(o => [o.id, o.label || o.name]), v, t => set(t ? Number(t) : undefined)),
      name: (f, v, set, node) => f.key === "prediction" ? chosen(options.prediction.filter(p => f.one_of ? p.kind === "date" : p.kind !== "date").map(p => [p.key, p.title]), v, t => set(t || undefined))
        : chosenName(v, f.key === "event" ? options.event.map(e => e.name) : options.attribute, t => set(t || undefined)),
      text: (f, v, set) => { if (f.key !== "body" && f.key !== "text") return input("text", v, t => set(t || undefined), { maxlength: 1000 }); const t = el("textarea", "textarea"); t.value = v || ""; t.addEventListener("input", () => set(t.value || undefined)); return t; },
      flag: (f, v, set) => { const i = el("input", "switch"); i.type = "checkbox"; i.setAttribute("role", "switch"); i.checked = !!v; i.addEventListener("change", () => set(i.checked || undefined)); return i; },
      number: (f, v, set) => input("number", v, t => set(number(t) ?? undefined), { step: "any" }),
      percent: (f, v, set) => input("number", v ?? f.default, t => set(number(t) ?? undefined), { min: 0, max: 100, step: "any" }),
      offset: (f, v, set) => input("number", v ?? 0, t => set(Math.round(number(t) ?? 0) || undefined), { min: -366, max: 366, step: 1 }),
      month_day: (f, v, set) => input("number", v, t => set(number(t) ?? undefined), { min: 1, max: 31, step: 1 }),
      weekdays: (f, v, set) => weekdays(v, set),
      tests: (f, v, set, node) => tests(v, set, node.event),
      rule: (f, v, set, node, said) => rule(v, set, said),
      value: (f, v, set) => value(v, set),
      url: (f, v, set) => input("url", v, t => set(t.trim() || undefined), { placeholder: w.urlHint }),
      email: (f, v, set) => input("email", v, t => set(t.trim() || undefined), { placeholder: w.mailHint }),
      choice: (f, v, set) => select(f.choices, v ?? f.default, t => set(t)),
    };

    /* the settings of a node, in order; alternatives become one question with one answer */
    const settings = (fields, node, set, said, path = "") => {
      const out = [], done = new Set();
      let links = null;
      fields.forEach(f => {
        if (done.has(f.key) || (f.key === "channel_id" && !lists.channel_id(node).length) || (f.key === "channel") || hidden(f, node)) return;
        if (f.one_of) {
          const all = fields.filter(x => x.one_of === f.one_of); all.forEach(x => done.add(x.key));
          const on = all.find(x => node[x.key] != null) || all.find(x => x.key === node.__which) || all[0];
          const box = el("div", "stack"); let now = on;
          const draw = () => { box.replaceChildren(field(path + f.key, w.which, select(all.map(x => [x.key, x.label]), now.key, key => { now = all.find(x => x.key === key); set(Object.fromEntries(all.map(x => [x.key, undefined]))); draw(); box.querySelector("select").focus(); })), field(path + now.key, now.label, editors[now.type](now, node[now.key], v => set({ [now.key]: v }), node))); };
          draw(); out.push(box); return;
        }
        if (f.key.startsWith("utm_")) {
          if (!links) { links = el("details", "j-fold"); const sum = el("summary", "link", w.links); sum.prepend(svg("chevron-right")); links.append(sum); links.open = fields.some(x => x.key.startsWith("utm_") && node[x.key]); out.push(links); }
          links.append(field(path + f.key, f.label, editors[f.type](f, node[f.key], v => set({ [f.key]: v }, f), node, said), f.hint)); return;
        }
        if (f.type === "flag") { const i = editors.flag(f, node[f.key] ?? f.default, v => set({ [f.key]: v }), node), row = el("label", "sw-row"), t = el("span", "grow"); t.append(el("b", "", f.label)); row.dataset.path = path + f.key; row.append(t, i); out.push(row); return; }
        out.push(field(path + f.key, f.label, editors[f.type](f, node[f.key], v => set({ [f.key]: v }, f), node, said), f.hint));
      });
      return out;
    };
    const hidden = (f, node) => (/^(utm_|plain_links)/.test(f.key) && (node.channel === "sms" || (node.plain_links && f.key !== "plain_links"))) || (f.key === "on" && node.every !== "once") || (f.key === "weekdays" && node.kind === "schedule" && node.every !== "week") || (f.key === "month_day" && node.every !== "month") || (f.key === "leap" && (node.every || f.default) !== "year" && node.kind === "wait_until");

    return { begin: () => ui.$("#j-names").replaceChildren(), settings, field, input, select, chosen, button, note, pair, tests, rule, chosenName, number, weekdays, options };
  };
})();
