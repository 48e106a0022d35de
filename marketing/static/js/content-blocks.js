/* Blocks of a mail: the list of them, moved by keyboard or by dragging, and the form of the one that is chosen. */
(() => {
  const data = id => JSON.parse(document.getElementById(id)?.textContent || "null");
  const field = document.getElementById("e-blocks");
  if (!field) return;
  const { $, el, svg } = window.ui, form = field.form;
  const kinds = Object.fromEntries(data("kinds-data").map(kind => [kind.name, kind])), words = data("words-data"), saves = data("saved-data") || [];
  const outline = $("#e-outline"), said = $("#e-said"), panel = $("#e-block"), fields = $("#e-fields");
  let blocks = data("blocks-data"), chosen = blocks[0]?.id ?? null, past = [], future = [], last = JSON.stringify(blocks), typing = "";
  const index = () => blocks.findIndex(block => block.id === chosen);
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_all, name) => values[name]);
  const label = block => {
    const words = (block.text || block.label || block.title || block.alt || saves.find(one => one.id === block.saved)?.name || "").replace(/\{\{\s*(\w+)[^}]*\}\}/g, "$1").trim();
    return { kind: kinds[block.kind].label, words: words.length > 40 ? words.slice(0, 39) + "…" : words };
  };

  /* every change can be taken back; what is typed into one field is one change */
  const keep = what => {
    const now = JSON.stringify(blocks);
    if (now === last) return;
    if (!what || what !== typing) past.push(last);
    typing = what || "";
    last = now; future = [];
    spread();
  };
  const spread = () => {
    field.value = JSON.stringify(blocks);
    for (const [id, list] of [["#e-undo", past], ["#e-redo", future]]) { const button = $(id); if (button) button.disabled = !list.length; }
    form.dispatchEvent(new CustomEvent("wrote"));
  };
  const back = (from, to) => {
    if (!from.length) return;
    to.push(last); last = from.pop(); blocks = JSON.parse(last); typing = "";
    if (index() < 0) chosen = blocks[0]?.id ?? null;
    draw(); spread();
  };

  const draw = focus => {
    outline.replaceChildren(...blocks.map(block => {
      const item = el("li"), button = el("button"), grip = el("span", "grip"), name = label(block), text = el("span", "grow trunc");
      item.draggable = true; item.dataset.block = block.id;
      button.type = "button"; button.setAttribute("aria-pressed", block.id === chosen);
      grip.append(svg("grip-vertical")); text.append(el("b", "", name.kind));
      if (name.words) text.append(el("small", "", " " + name.words));
      button.append(grip, svg(kinds[block.kind].icon), text); item.append(button);
      return item;
    }));
    if (focus) outline.querySelector('[aria-pressed="true"]')?.focus();
    inspect();
  };
  const pick = (id, focus) => { if (!blocks.some(block => block.id === id)) return; chosen = id; typing = ""; draw(focus); form.dispatchEvent(new CustomEvent("picked")); };
  const tell = (words, block) => { said.textContent = fill(words, { name: label(block).kind, n: blocks.indexOf(block) + 1, all: blocks.length }); };
  const fresh = () => { let n = blocks.length + 1; while (blocks.some(block => block.id === "b" + n)) n += 1; return "b" + n; };
  const first = settings => Object.fromEntries(settings.map(one => [one.name, one.kind === "columns" ? [first(kinds.columns.columns), first(kinds.columns.columns)] : one.default]));
  const acts = {
    add(kind, more = {}) {
      const block = { id: fresh(), kind, ...first(kinds[kind].settings), ...more }, at = index();
      const foot = blocks.findIndex(one => one.kind === "footer");
      blocks.splice(at < 0 || (foot >= 0 && at >= foot) ? (foot >= 0 ? foot : blocks.length) : at + 1, 0, block);
      chosen = block.id; keep(); draw(true); tell(words.added, block);
    },
    move(by) {
      const at = index(), to = at + by;
      if (at < 0 || to < 0 || to >= blocks.length) return;
      const [block] = blocks.splice(at, 1); blocks.splice(to, 0, block);
      keep(); draw(true); tell(words.moved, block);
    },
    up() { acts.move(-1); },
    down() { acts.move(1); },
    copy() {
      const at = index(); if (at < 0) return;
      const block = { ...structuredClone(blocks[at]), id: fresh() };
      blocks.splice(at + 1, 0, block); chosen = block.id; keep(); draw(true); tell(words.added, block);
    },
    remove() {
      const at = index(); if (at < 0) return;
      const [block] = blocks.splice(at, 1);
      chosen = (blocks[at] ?? blocks[at - 1])?.id ?? null;
      keep(); draw(true); said.textContent = fill(words.removed, { name: label(block).kind });
    },
  };

  /* the form of the chosen block */
  let forms = 0;
  const control = (one, holder, what) => {
    const box = el("div", "field"), name = el("label", "", one.label), id = "e-f" + (forms += 1);
    let input;
    if (one.kind === "saved") {
      input = el("select", "select");
      saves.forEach(save => { const option = el("option", "", save.name); option.value = save.id; input.append(option); });
    } else if (one.kind === "choice") {
      input = el("select", "select");
      const held = holder[one.name] ?? "", options = !held || one.options.some(([value]) => value === held) ? one.options : [...one.options, [held, fill(words.gone, { name: held })]];
      options.forEach(([value, text]) => { const option = el("option", "", text); option.value = value; input.append(option); });
    } else if (one.kind === "text" || one.kind === "source") {
      input = el("textarea", one.kind === "source" ? "textarea mono" : "textarea"); input.rows = one.kind === "source" ? 12 : 6;
    } else {
      input = el("input", "input"); input.type = one.kind === "number" ? "number" : "text";
      if (one.kind === "number") { input.min = one.low; input.max = one.high; }
      if (one.kind === "address") input.placeholder = `https:${"/".repeat(2)}`;
    }
    input.id = id; name.htmlFor = id; input.value = holder[one.name] ?? "";
    input.addEventListener(input.tagName === "SELECT" ? "change" : "input", () => {
      holder[one.name] = one.kind === "number" || one.kind === "saved" ? Number(input.value) : input.value;
      keep(what + one.name);
      if (one.kind === "saved") offer(blocks[index()]);
      needs(blocks[index()]);
      const at = index(), row = outline.children[at]?.querySelector(".trunc");
      if (row) { const now = label(blocks[at]); row.replaceChildren(el("b", "", now.kind), ...(now.words ? [el("small", "", " " + now.words)] : [])); }
    });
    box.append(name, input);
    return box;
  };
  const columns = block => {
    const box = el("div", "stack-16");
    block.columns.forEach((column, n) => {
      const set = el("fieldset", "stack-16 e-column"); set.append(el("legend", "label", fill(words.column, { n: n + 1 })));
      set.append(...kinds.columns.columns.map(one => control(one, column, block.id + n))); box.append(set);
    });
    const row = el("div", "row"), more = el("button", "btn sm", words.more), less = el("button", "btn sm", words.less);
    more.type = less.type = "button"; more.disabled = block.columns.length > 2; less.disabled = block.columns.length < 3;
    more.addEventListener("click", () => { block.columns.push(first(kinds.columns.columns)); keep(); inspect(); });
    less.addEventListener("click", () => { block.columns.pop(); keep(); inspect(); });
    row.append(more, less); box.append(row);
    return box;
  };
  /* a block may be saved for other mails; one that is saved may become part of this mail */
  /* products that no engine has chosen yet are seen by nobody */
  const needs = block => { const said = $("#e-need"); if (said) said.hidden = block?.kind !== "products" || block.of === "event"; };
  const offer = block => {
    const [keepIt, library, detach] = ["#e-keep", "#e-library", "#e-detach"].map(id => $(id));
    if (!keepIt) return;
    const save = saves.find(one => one.id === block.saved);
    keepIt.hidden = block.kind === "saved"; library.hidden = detach.hidden = !save;
    if (save) library.href = save.url;
  };
  $("#e-detach")?.addEventListener("click", () => {
    const at = index(), save = saves.find(one => one.id === blocks[at]?.saved);
    if (!save) return;
    const taken = [];
    const parts = save.blocks.map(part => { const made = { ...structuredClone(part), id: fresh() + taken.length }; taken.push(made.id); return made; });
    blocks.splice(at, 1, ...parts); chosen = parts[0].id; keep(); draw(true); tell(words.added, parts[0]);
  });
  $("#e-save-now")?.addEventListener("click", async () => {
    const at = index(), error = $("#e-block-error"), body = new FormData();
    if (at < 0) return;
    body.set("name", $("#e-block-name").value); body.set("blocks", JSON.stringify([blocks[at]]));
    body.set("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
    let answer;
    try { answer = await (await fetch(form.dataset.keep, { method: "POST", body, headers: { "X-Requested-With": "fetch" } })).json(); } catch { answer = { error: words.lost }; }
    error.hidden = !answer.error; error.textContent = answer.error || "";
    if (answer.error) return;
    saves.push(answer); blocks[at] = { id: blocks[at].id, kind: "saved", saved: answer.id };
    $("#e-save-block").close(); $("#e-block-name").value = "";
    keep(); draw(true); tell(words.saved, blocks[at]);
  });
  const inspect = () => {
    const at = index(), block = blocks[at];
    panel.hidden = !block;
    if (!block) return;
    const kind = kinds[block.kind];
    $("#e-kind").textContent = kind.label; $("#e-icon").replaceChildren(svg(kind.icon));
    $("#e-place").textContent = fill(words.place, { n: at + 1, all: blocks.length });
    offer(block); needs(block);
    fields.replaceChildren(...kind.settings.map(one => one.kind === "columns" ? columns(block) : control(one, block, block.id)));
  };

  document.addEventListener("click", event => {
    const add = event.target.closest("[data-add]"); if (add) acts.add(add.dataset.add, add.dataset.saved ? { saved: Number(add.dataset.saved) } : {});
    const act = event.target.closest("#e-sel [data-do]"); if (act) acts[act.dataset.do]();
    const row = event.target.closest("#e-outline li"); if (row) pick(row.dataset.block, true);
  });
  outline.addEventListener("keydown", event => {
    if (event.altKey && /^Arrow(Up|Down)$/.test(event.key)) { event.preventDefault(); acts.move(event.key === "ArrowUp" ? -1 : 1); return; }
    if (/^Arrow(Up|Down)$/.test(event.key)) {
      const next = blocks[index() + (event.key === "ArrowUp" ? -1 : 1)];
      event.preventDefault(); if (next) pick(next.id, true);
    }
    if (event.key === "Delete") { event.preventDefault(); acts.remove(); }
    if (event.key === "Enter") {
      event.preventDefault(); pick(event.target.closest("li")?.dataset.block, true);
      fields.querySelector("input,select,textarea")?.focus();
    }
  });
  panel.addEventListener("keydown", event => { if (event.key === "Escape") { event.preventDefault(); draw(true); } });
  let dragged = null;
  outline.addEventListener("dragstart", event => { dragged = event.target.closest("li"); dragged?.classList.add("ghosted"); event.dataTransfer.effectAllowed = "move"; });
  outline.addEventListener("dragover", event => {
    const over = event.target.closest("li");
    if (!dragged) return;
    event.preventDefault();
    if (!over || over === dragged) return;
    const box = over.getBoundingClientRect();
    over[event.clientY > box.top + box.height / 2 ? "after" : "before"](dragged);
  });
  outline.addEventListener("dragend", () => {
    if (!dragged) return;
    const order = [...outline.children].map(item => item.dataset.block), id = dragged.dataset.block;
    dragged = null; blocks.sort((one, other) => order.indexOf(one.id) - order.indexOf(other.id));
    chosen = id; keep(); draw(true);
  });
  $("#e-undo")?.addEventListener("click", () => back(past, future));
  $("#e-redo")?.addEventListener("click", () => back(future, past));
  document.addEventListener("keydown", event => {
    if (!(event.metaKey || event.ctrlKey) || event.key.toLowerCase() !== "z" || event.target.closest("input,textarea,select")) return;
    event.preventDefault(); event.shiftKey ? back(future, past) : back(past, future);
  });

  window.blocks = { pick, get chosen() { return chosen; }, get label() { const at = index(); return at < 0 ? "" : label(blocks[at]).kind; } };
  field.value = last;
  draw();
})();
