/* One editor for each question of the rule language. A node is { not, op, items } for a group and { not, q } for a
   question, where q is the question's JSON as the server reads it: editors show its parts and write into it. */
(() => {
  const { el, svg } = ui;
  const HEADS = ["field", "attribute", "did", "sequence", "bought", "ordered", "message", "reach", "consent", "score", "rfm", "lifecycle", "cluster", "bucket", "in_list", "in_segment"];
  const head = q => HEADS.find(k => k in q);
  const blank = op => op === "known" || op === "unknown";
  const number = text => (text.trim() === "" || isNaN(text) ? null : Number(text));
  const read = (r, not = false) => ("not" in r ? read(r.not, !not) : r.all || r.any ? { not, op: r.all ? "all" : "any", items: (r.all || r.any).map(x => read(x)) } : { not, q: structuredClone(r) });

  /* `data` is what the page offers; `draw` shows the rows anew, `touch` says that a value changed */
  window.segmentEditors = (data, { draw, touch }) => {
    const w = data.words;
    const say = (box, text) => box.append(el("span", "w", text));
    const select = (options, value, label, on) => {
      const s = el("select", "select"); s.setAttribute("aria-label", label);
      if (value != null && !options.some(([v]) => String(v) === String(value))) options = [...options, [value, String(value)]];
      options.forEach(([v, text]) => { const o = el("option", "", text); o.value = v; o.selected = String(v) === String(value); s.append(o); });
      s.onchange = () => on(s.value); return s;
    };
    const input = (type, value, label, on, { cls = "", list, min, max, hint } = {}) => {
      const i = el("input", "input " + cls); i.type = type; i.value = value ?? ""; i.setAttribute("aria-label", label); i.autocomplete = "off";
      if (list) i.setAttribute("list", list); if (min != null) i.min = min; if (max != null) i.max = max; if (hint) i.placeholder = hint;
      if (type === "number") i.step = "any"; i.oninput = () => { on(i.value); touch(); }; return i;
    };
    const num = (value, label, on, more) => input("number", value, label, v => on(number(v)), { cls: "n", ...more });
    const text = (value, label, on, more) => input("text", value, label, on, { cls: "s-txt", ...more });
    const button = (icon, label, on, cls = "btn ghost sm icon-only rm") => { const b = el("button", cls); b.type = "button"; if (icon) b.append(svg(icon)); b.setAttribute("aria-label", label); b.title = label; b.onclick = on; return b; };
    const more = (label, on) => { const b = el("button", "btn ghost sm add-in", label); b.type = "button"; b.prepend(svg("plus")); b.onclick = on; return b; };

    /* several values: Enter or a comma keeps one, Backspace in an empty box takes the last one back */
    const chips = (q, label, list) => {
      const box = el("span", "chips"), values = q.value;
      values.forEach((v, i) => { const t = el("span", "tok", String(v)); t.append(button("x", `${w.removeValue} ${v}`, () => { values.splice(i, 1); draw(); }, "")); box.append(t); });
      const i = text("", label, () => {}, { cls: "s-chip", list, hint: values.length ? w.addValue : w.values });
      const keep = () => { const found = i.value.split(/[,\n]/).map(x => x.trim()).filter(x => x && !values.includes(x)); i.value = ""; if (found.length) { values.push(...found); draw(); } };
      i.oninput = e => { if (e.inputType === "insertReplacementText" || /[,\n]/.test(i.value)) keep(); };
      i.onkeydown = e => { if (e.key === "Enter") { e.preventDefault(); keep(); } if (e.key === "Backspace" && !i.value && values.length) { values.pop(); draw(); } };
      i.onchange = keep; box.append(i); return box;
    };
    const toggles = (options, chosen, label, on) => {
      const box = el("span", "s-toggles"); box.setAttribute("role", "group"); box.setAttribute("aria-label", label);
      options.forEach(([v, name, title]) => { const b = el("button", "tok", name); b.type = "button"; b.setAttribute("aria-pressed", chosen.includes(v)); if (title) { b.setAttribute("aria-label", title); b.title = title; } b.onclick = () => on(chosen.includes(v) ? chosen.filter(x => x !== v) : options.map(o => o[0]).filter(x => x === v || chosen.includes(x))); box.append(b); });
      return box;
    };

    /* a value that fits a question of a kind, for when kind or question changed */
    const fits = (v, op, kind) => {
      if (blank(op)) return v === undefined;
      if (op === "between" || op === "in_days") return Array.isArray(v) && typeof v[0] === "number";
      if (op === "in" || op === "not_in") return Array.isArray(v) && typeof v[0] !== "number";
      if (op.includes("during")) return data.calendar.some(([c]) => c === v);
      if (/days|within|top|bottom/.test(op) || kind === "number") return typeof v === "number";
      if (kind === "flag") return typeof v === "boolean";
      return typeof v === "string" && (kind !== "date" || /^\d{4}-\d\d-\d\d$/.test(v)) && !data.calendar.some(([c]) => c === v);
    };
    const fresh = (op, kind) => {
      if (blank(op)) return undefined;
      if (op === "between") return [1, 10]; if (op === "in_days") return [0, 30];
      if (op === "in" || op === "not_in") return [];
      if (op.includes("during")) return "this_month";
      if (op === "anniversary_within") return 7; if (op === "top" || op === "bottom") return 10;
      if (op.includes("days")) return 30;
      return { number: 1, flag: true, date: new Date().toISOString().slice(0, 10) }[kind] ?? "";
    };
    const settle = (q, kind) => { if (fits(q.value, q.op, kind)) return; const v = fresh(q.op, kind); if (v === undefined) delete q.value; else q.value = v; };
    const value = (q, kind, box, name, { list, after } = {}) => {
      const label = `${name}: ${w.value}`, set = v => { q.value = v; };
      if (blank(q.op)) return;
      if (Array.isArray(q.value) && (q.op === "between" || q.op === "in_days")) {
        box.append(num(q.value[0], `${name}: ${w.from}`, v => { q.value[0] = v; })); say(box, w.and); box.append(num(q.value[1], `${name}: ${w.to}`, v => { q.value[1] = v; }));
        if (q.op === "in_days") say(box, w.daysFromNow);
      } else if (q.op === "in" || q.op === "not_in") box.append(chips(q, label, list));
      else if (q.op.includes("during")) box.append(select(data.calendar, q.value, label, v => { set(v); touch(); }));
      else if (q.op === "top" || q.op === "bottom") { box.append(num(q.value, label, set, { min: 1, max: 100 })); say(box, "%"); }
      else if (/days|within/.test(q.op)) { box.append(num(q.value, label, set, { min: 0 })); say(box, w.days); }
      else if (kind === "flag") box.append(select([["true", w.yes], ["false", w.no]], q.value, label, v => { set(v === "true"); touch(); }));
      else if (kind === "number") box.append(num(q.value, label, set));
      else if (kind === "date") box.append(input("date", q.value, label, set));
      else box.append(text(q.value, label, set, { list, hint: w.typeValue }));
      if (after && !blank(q.op)) say(box, after);
    };
    const asked = (q, ops, kind, box, name, more) => {
      if (ops.length > 1) box.append(select(ops.map(o => [o, data.opWords[o]]), q.op, `${name}: ${w.question}`, v => { q.op = v; settle(q, kind); draw(); }));
      value(q, kind, box, name, more);
    };

    /* how often */
    const often = (q, box) => {
      const mode = q.at_most == null ? "least" : q.at_most === 0 ? "never" : q.at_least === q.at_most ? "exactly" : q.at_least ? "between" : "most";
      box.append(select(["least", "exactly", "most", "between", "never"].map(m => [m, w[m]]), mode, w.howOften, m => {
        const n = q.at_least || q.at_most || 1;
        Object.assign(q, { least: { at_least: n, at_most: null }, exactly: { at_least: n, at_most: n }, most: { at_least: 0, at_most: n }, between: { at_least: n, at_most: n + 2 }, never: { at_least: 0, at_most: 0 } }[m]);
        if (q.at_most == null) delete q.at_most; draw();
      }));
      if (mode === "never") return;
      if (mode === "between") { box.append(num(q.at_least, w.timesLeast, v => { q.at_least = v; }, { min: 0 })); say(box, w.and); }
      box.append(num(mode === "least" ? q.at_least : q.at_most, w.times, v => { if (mode !== "least") q.at_most = v; if (mode === "least" || mode === "exactly") q.at_least = v; }, { min: 1 })); say(box, w.timesAfter);
    };
    /* when */
    const units = Object.entries(data.units);
    const span = (told, box, label, on) => {
      const [unit, n] = Object.entries(told)[0];
      box.append(num(n, label, v => on({ [unit]: v }), { min: 1 }), select(units, unit, `${label}: ${w.unit}`, u => { on({ [u]: n }); draw(); }));
    };
    const last = (q, told) => { delete q.days; delete q.when; if (Number.isInteger(told.days) && told.days > 0) q.days = told.days; else q.when = { last: told }; };
    const time = (q, box) => {
      const when = q.when, mode = q.days != null || when?.last ? "last" : when?.days_ago ? "ago" : when?.calendar ? "calendar" : when ? "dates" : "ever";
      box.append(select(["ever", "last", "ago", "calendar", "dates"].map(m => [m, w["when_" + m]]), mode, w.when, m => {
        delete q.days; delete q.when;
        if (m === "last") q.days = 30; if (m === "ago") q.when = { days_ago: [60, 30] }; if (m === "calendar") q.when = { calendar: "this_month" };
        if (m === "dates") q.when = { since: new Date(Date.now() - 30 * 864e5).toISOString().slice(0, 10), until: new Date().toISOString().slice(0, 10) };
        draw();
      }));
      if (mode === "last") span(q.days != null ? { days: q.days } : when.last, box, w.howLong, told => last(q, told));
      if (mode === "ago") { box.append(num(when.days_ago[0], w.daysAgoFrom, v => { when.days_ago[0] = v; }, { min: 1 })); say(box, w.to2); box.append(num(when.days_ago[1], w.daysAgoTo, v => { when.days_ago[1] = v; }, { min: 0 })); say(box, w.daysAgo); }
      if (mode === "calendar") box.append(select(data.calendar, when.calendar, w.stretch, v => { when.calendar = v; touch(); }));
      if (mode === "dates") {
        const day = (key, label) => input("date", when[key], label, v => { if (v) when[key] = v; else delete when[key]; });
        box.append(day("since", w.since)); say(box, w.to2); box.append(day("until", w.until));
      }
    };

    /* tests on an event's properties, and on an order's lines */
    const tests = (q, box, line, adding) => {
      q.where ||= []; const add = more(w.addTest, () => { q.where.push(adding()); draw(); });
      if (!q.where.length) { box.append(add); return; }
      const all = el("div", "s-tests");
      q.where.forEach((t, i) => {
        const row = el("div", "s-test"); say(row, i ? w.and : w.with); line(t, row);
        row.append(button("x", w.removeTest, () => { q.where.splice(i, 1); draw(); })); all.append(row);
      });
      all.append(add); box.append(all);
    };
    const typed = (t, row, list) => {
      const kind = typeof t.value === "number" ? "number" : typeof t.value === "boolean" ? "flag" : "text";
      row.append(select(data.propertyOps.map(o => [o, data.opWords[o]]), t.op, w.question, v => { t.op = v; if (v === "known") delete t.value; else if (/[<>]/.test(v)) t.value = number(String(t.value ?? "")); else if (v === "contains" || t.value == null) t.value = String(t.value ?? ""); draw(); }));
      if (t.op === "known") return;
      if (t.op === "=" || t.op === "!=") row.append(select([["text", w.asText], ["number", w.asNumber], ["flag", w.asFlag]], kind, w.kind, k => { t.value = k === "number" ? number(String(t.value)) ?? 0 : k === "flag" ? t.value === "true" || t.value === true : String(t.value ?? ""); draw(); }));
      if (/[<>]/.test(t.op) || kind === "number") row.append(num(t.value, w.value, v => { t.value = v; }));
      else if (kind === "flag") row.append(select([["true", w.yes], ["false", w.no]], t.value, w.value, v => { t.value = v === "true"; touch(); }));
      else row.append(text(t.value, w.value, v => { t.value = v; }, { list, hint: w.typeValue }));
    };
    const known = event => data.events.find(e => e.name === event)?.properties || [];
    const listOf = (id, names) => { let d = document.getElementById(id); if (!d) { d = el("datalist"); d.id = id; document.body.append(d); names.forEach(n => { const o = el("option"); o.value = n; d.append(o); }); } return id; };
    const eventTests = (q, event, box) => tests(q, box, (t, row) => {
      row.append(text(t.property, w.property, v => { t.property = v; }, { list: listOf("s-props-" + data.events.findIndex(e => e.name === event), known(event).map(p => p.name)), hint: w.property })); typed(t, row);
    }, () => { const p = known(event)[0]; return p?.number ? { property: p.name, op: ">=", value: 1 } : { property: p?.name || "url", op: "contains", value: "/" }; });
    const eventBox = (name, on) => text(name, w.event, on, { list: "s-events", hint: w.event });

    const edit = {
      field(q, box) {
        const f = data.fields[q.field];
        box.append(select(Object.entries(data.fields).map(([k, v]) => [k, v.label]), q.field, w.field, v => { q.field = v; const ops = data.ops[data.fields[v].kind]; if (!ops.includes(q.op)) q.op = ops[0]; settle(q, data.fields[v].kind); draw(); }));
        asked(q, data.ops[f.kind], f.kind, box, f.label, { list: { "customer.country": "s-countries", "customer.language": "s-languages" }[q.field], after: f.unit });
      },
      attribute(q, box) {
        q.as ||= "text"; const ops = q.as === "text" ? [...data.ops.text, "not_in"] : data.ops[q.as];
        box.append(text(q.attribute, w.attribute, v => { q.attribute = v; }, { list: "s-attributes", hint: w.attribute }));
        box.append(select([["text", w.asText], ["number", w.asNumber], ["flag", w.asFlag], ["date", w.asDate]], q.as, w.kind, v => { q.as = v; if (!data.ops[v].includes(q.op)) q.op = data.ops[v][0]; settle(q, v); draw(); }));
        asked(q, ops, q.as, box, q.attribute || w.attribute);
      },
      did(q, box) { box.append(el("b", "", w.did), eventBox(q.did, v => { q.did = v; })); often(q, box); time(q, box); eventTests(q, q.did, box); },
      sequence(q, box) {
        const steps = el("ol", "s-steps"); box.append(el("b", "", w.sequence)); time(q, box);
        q.sequence.forEach((s, i) => {
          const li = el("li", "s-step"), row = el("div", "s-line"), key = "did_not" in s ? "did_not" : "did";
          if (i) row.append(select([["did", w.thenDid], ["did_not", w.thenNot]], key, `${w.step} ${i + 1}`, v => { const keep = s[key]; delete s[key]; s[v] = keep; if (v === "did_not" && !s.within) s.within = { days: 3 }; draw(); })); else say(row, w.first);
          row.append(eventBox(s[key], v => { s[key] = v; }));
          if (i) {
            row.append(select([["no", w.anyTime], ["yes", w.within]], s.within ? "yes" : "no", `${w.step} ${i + 1}: ${w.when}`, v => { if (v === "yes") s.within = { days: 3 }; else delete s.within; draw(); }));
            if (s.within) span(s.within, row, `${w.step} ${i + 1}: ${w.howLong}`, told => { s.within = told; });
            if (q.sequence.length > 2) row.append(button("x", `${w.removeStep} ${i + 1}`, () => { q.sequence.splice(i, 1); draw(); }));
          }
          eventTests(s, s[key], row); li.append(row); steps.append(li);
        });
        if (q.sequence.length < 5) { const li = el("li", "s-step"); li.append(more(w.addStep, () => { q.sequence.push({ did: data.events[0]?.name || "page_view", within: { days: 3 } }); draw(); })); steps.append(li); }
        box.append(steps);
      },
      bought(q, box) {
        const by = ["sku", "category", "any"].find(k => k in q.bought);
        box.append(el("b", "", w.bought), select([["any", w.anything], ["sku", w.product], ["category", w.category]], by, w.whatBought, v => { q.bought = v === "any" ? { any: true } : { [v]: "" }; draw(); }));
        if (by !== "any") box.append(text(q.bought[by], by === "sku" ? w.product : w.category, v => { q.bought[by] = v; }, { list: by === "sku" ? "s-skus" : "s-categories", hint: by === "sku" ? w.product : w.category }));
        often(q, box); time(q, box);
      },
      ordered(q, box) {
        box.append(select(data.measures, q.ordered, w.measure, v => { q.ordered = v; touch(); })); asked(q, data.measureOps, "number", box, w.ordered); time(q, box);
        tests(q, box, (t, row) => {
          const own = t.property.startsWith("product."), kind = data.line[t.property]?.kind;
          row.append(select([...Object.entries(data.line).map(([k, v]) => [k, v.label]), ["product.", w.productAttribute]], own ? "product." : t.property, w.property, v => { t.property = v; if (v === "product.") Object.assign(t, { op: "=", value: "" }); else { const ops = data.lineOps[data.line[v].kind]; if (!ops.includes(t.op)) t.op = ops.includes(">=") ? ">=" : ops[0]; settle(t, data.line[v].kind); } draw(); }));
          if (own) { row.append(text(t.property.slice(8), w.attribute, v => { t.property = "product." + v; }, { hint: w.attribute })); typed(t, row); } else asked(t, data.lineOps[kind], kind, row, data.line[t.property].label, { list: { sku: "s-skus", category: "s-categories", country: "s-countries" }[t.property] });
        }, () => ({ property: "category", op: "=", value: "" }));
      },
      message(q, box) {
        box.append(select(data.acts, q.message, w.messageAct, v => { q.message = v; touch(); }));
        box.append(select([["", w.anyCampaign], ...data.campaigns.map(c => [c.id, c.name])], q.campaign ?? "", w.campaign, v => { if (v) q.campaign = Number(v); else delete q.campaign; touch(); }));
        box.append(select([["", w.anyChannel], ...data.channels], q.channel ?? "", w.channel, v => { if (v) q.channel = v; else delete q.channel; touch(); }));
        often(q, box); time(q, box);
      },
      reach(q, box) { box.append(el("b", "", w.reach), select(data.channels, q.reach, w.channel, v => { q.reach = v; touch(); })); say(box, w.forPurpose); box.append(select(data.purposes, q.purpose || "marketing", w.purpose, v => { q.purpose = v; touch(); })); },
      consent(q, box) { box.append(select(data.answers, q.answer, w.answer, v => { q.answer = v; touch(); }), select(data.purposes, q.purpose || "marketing", w.purpose, v => { q.purpose = v; touch(); })); say(box, w.by); box.append(select(data.channels, q.consent, w.channel, v => { q.consent = v; touch(); })); },
      score(q, box) {
        const found = data.predictions.find(p => p.key === q.score), kind = found?.kind || "chance";
        const ops = ["top", "bottom", ...data.measureOps, ...(kind === "date" ? ["in_days"] : []), "known", "unknown"].filter(o => kind !== "date" || !/[<>=]|between/.test(o));
        box.append(select(data.predictions.map(p => [p.key, p.title]), q.score, w.prediction, v => { q.score = v; const k = data.predictions.find(p => p.key === v)?.kind; if (k === "date" ? /[<>=]|between/.test(q.op) : q.op === "in_days") { q.op = "top"; q.value = 10; } draw(); }));
        asked(q, ops, "number", box, found?.title || q.score);
      },
      rfm(q, box) {
        box.append(el("b", "", w.rfm));
        ["r", "f", "m"].forEach(k => { const line = el("span", "s-rfm"); say(line, w["rfm_" + k]); line.append(toggles([1, 2, 3, 4, 5].map(n => [n, String(n), `${w["rfm_" + k]} ${n}`]), q.rfm[k] || [], w["rfm_" + k], v => { if (v.length) q.rfm[k] = v; else delete q.rfm[k]; draw(); })); box.append(line); });
        say(box, w.rfmHint);
      },
      lifecycle(q, box) { if (!Array.isArray(q.lifecycle)) q.lifecycle = [q.lifecycle]; box.append(el("b", "", w.lifecycle), toggles(data.stages, q.lifecycle, w.lifecycle, v => { q.lifecycle = v; draw(); })); },
      cluster(q, box) {
        const found = data.clusterings.find(c => c.key === q.cluster), groups = found ? found.groups : [];
        box.append(select(data.clusterings.map(c => [c.key, c.title]), q.cluster, w.clustering, v => { q.cluster = v; q.in = (data.clusterings.find(c => c.key === v)?.groups || []).slice(0, 1).map(g => g[0]); draw(); }));
        say(box, w.cluster); box.append(toggles(groups, q.in, w.cluster, v => { q.in = v; draw(); }));
      },
      bucket(q, box) {
        box.append(el("b", "", w.bucket)); say(box, w.from2); box.append(num(q.from ?? 0, w.bucketFrom, v => { q.from = v; }, { min: 0, max: 100 })); say(box, w.to2); box.append(num(q.to, w.bucketTo, v => { q.to = v; }, { min: 0, max: 100 })); say(box, w.drawnBy);
        box.append(text(q.bucket, w.salt, v => { q.bucket = v; }, { hint: w.salt }));
      },
      in_list(q, box) {
        box.append(el("b", "", w.onList), select(data.lists.map(l => [l.id, l.label]), q.in_list, w.list, v => { q.in_list = Number(v); touch(); }));
        if (data.canEdit) { const b = button("upload", w.upload, () => made.upload(id => { q.in_list = id; }), "btn ghost sm"); b.append(w.upload); b.removeAttribute("aria-label"); box.append(b); }
      },
      in_segment(q, box) { box.append(el("b", "", w.inSegment), select(data.segments.map(s => [s.id, s.name]), q.in_segment, w.segment, v => { q.in_segment = Number(v); touch(); })); },
    };
    const event = data.events[0]?.name || "page_view";
    const begin = {
      field: name => { const f = data.fields[name], op = f.kind === "number" ? ">=" : data.ops[f.kind][0]; const q = { field: name, op }; settle(q, f.kind); return q; },
      attribute: name => ({ attribute: name || "", as: "text", op: "known" }),
      did: name => ({ did: name || event, at_least: 1, days: 30 }),
      sequence: () => ({ sequence: [{ did: event }, { did_not: data.events[1]?.name || event, within: { days: 3 } }], days: 30 }),
      bought: () => ({ bought: { any: true }, at_least: 1, days: 90 }),
      ordered: () => ({ ordered: "money", op: ">=", value: 100, days: 365 }),
      message: act => ({ message: act || "opened", at_least: 1, days: 90 }),
      reach: channel => ({ reach: channel || "email", purpose: "marketing" }),
      consent: () => ({ consent: "email", purpose: "marketing", answer: "yes" }),
      score: key => ({ score: key || data.predictions[0]?.key, op: "top", value: 10 }),
      rfm: () => ({ rfm: { r: [4, 5], f: [4, 5] } }),
      lifecycle: () => ({ lifecycle: ["active", "loyal"] }),
      cluster: key => { const c = data.clusterings.find(x => x.key === key) || data.clusterings[0]; return { cluster: c?.key, in: c ? c.groups.slice(0, 1).map(g => g[0]) : [] }; },
      bucket: () => ({ bucket: w.saltStart, from: 0, to: 50 }),
      in_list: () => ({ in_list: data.lists[0]?.id }),
      in_segment: () => ({ in_segment: data.segments[0]?.id }),
    };
    const look = q => { const k = head(q); return k === "field" ? data.fields[q.field] : data.looks[k]; };
    const title = q => { const k = head(q); return k === "field" ? data.fields[q.field].label : w[{ in_segment: "inSegment", in_list: "onList", consent: "answer", message: "messageAct", score: "prediction" }[k] || k] || k; };
    /* what is sent: empty lists of tests left out */
    const clean = q => { const c = structuredClone(q); for (const part of [c, ...(c.sequence || [])]) if (part.where && !part.where.length) delete part.where; return c; };
    const out = n => { const bare = n.items ? { [n.op]: n.items.map(out) } : clean(n.q); return n.not ? { not: bare } : bare; };
    /* `took` is told the id of a list once it is uploaded and read */
    const made = { edit, begin, look, title, head, out, select, button, more, took: null, upload: took => { made.took = took; document.querySelector("#list-upload").showModal(); } };
    return made;
  };
  window.segmentEditors.read = read;
})();
