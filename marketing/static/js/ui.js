/* Shell behaviour shared by every page: theme, menus, dialogs, toasts, shortcuts, palette, jobs. No inline handlers anywhere. */
(() => {
  const $ = (s, r = document) => r.querySelector(s), $$ = (s, r = document) => [...r.querySelectorAll(s)];
  const root = document.documentElement, said = root.dataset;
  const reduce = matchMedia("(prefers-reduced-motion: reduce)");

  /* menus: native popover; placed beside the button that opened it */
  document.addEventListener("beforetoggle", e => { if (e.target.matches?.(".menu") && e.newState === "open") e.target.style.visibility = "hidden"; }, true);
  document.addEventListener("toggle", e => {
    const m = e.target; if (!m.matches?.(".menu") || e.newState !== "open") return;
    const b = document.querySelector(`[popovertarget="${m.id}"]:focus`) || m._by || document.querySelector(`[popovertarget="${m.id}"]`);
    if (b) {
      const r = b.getBoundingClientRect(), w = m.offsetWidth, h = m.offsetHeight, g = 6;
      let x = r.left; if (x + w > innerWidth - 8) x = Math.max(8, Math.min(r.right - w, innerWidth - w - 8));
      let y = r.bottom + g; if (y + h > innerHeight - 8) y = r.top - h - g > 8 ? r.top - h - g : Math.max(8, innerHeight - h - 8);
      m.style.left = x + "px"; m.style.top = y + "px";
    }
    m.style.visibility = "";
    $$('[hx-trigger~="menu-opened"]', m).forEach(n => n.dispatchEvent(new Event("menu-opened")));
  }, true);
  document.addEventListener("click", e => {
    const p = e.target.closest("[popovertarget]"); if (p) { const m = document.getElementById(p.getAttribute("popovertarget")); if (m) m._by = p; }
    const o = e.target.closest("[data-open]"); if (o) { const d = $(o.dataset.open); if (d && !d.open) { d._by = o.closest(".menu")?._by; d.showModal(); } }
    const c = e.target.closest("[data-close]"); if (c) c.closest("dialog")?.close();
    if (e.target.matches?.("dialog[open]")) { const r = e.target.getBoundingClientRect(); if (e.clientX < r.left || e.clientX > r.right || e.clientY < r.top || e.clientY > r.bottom) e.target.close(); }
    const t = e.target.closest("[data-toast]"); if (t) toast(JSON.parse(t.dataset.toast));
    const k = e.target.closest("[data-copy]"); if (k) copy(k, $(k.dataset.copy));
    const mi = e.target.closest(".menu a, .menu .mi"); if (mi && mi.closest("[popover]")) mi.closest("[popover]").hidePopover?.();
  });
  /* a dialog that a menu opened: the menu is gone when the dialog closes, so its button gets the focus back */
  document.addEventListener("close", e => { const by = e.target._by, at = document.activeElement; if (by?.isConnected && (at === document.body || e.target.contains(at) || !at.checkVisibility())) by.focus(); }, true);
  /* arrow keys: down from its button into a menu, then up and down inside */
  document.addEventListener("keydown", e => {
    const m = e.target.closest?.(".menu"), b = m ? null : e.target.closest?.("[popovertarget]");
    const below = b && e.key === "ArrowDown" ? document.getElementById(b.getAttribute("popovertarget")) : null;
    if (below?.matches(".menu")) { e.preventDefault(); if (!below.matches(":popover-open")) b.click(); setTimeout(() => $("input,a,button.mi", below)?.focus(), 30); return; }
    if (!m || !/^Arrow(Up|Down)$/.test(e.key)) return;
    const items = $$("a,button.mi", m), i = items.indexOf(e.target); e.preventDefault();
    items[(i + (e.key === "ArrowDown" ? 1 : -1) + items.length) % items.length]?.focus();
  });
  /* a form that goes with its first control: filters without a button */
  document.addEventListener("change", e => { const f = e.target.closest?.("form[data-submit-on-change]"); if (f) f.requestSubmit(); });

  const svg = n => { const s = document.createElementNS("http://www.w3.org/2000/svg", "svg"); s.setAttribute("class", "icon"); s.setAttribute("aria-hidden", "true"); const u = document.createElementNS(s.namespaceURI, "use"); u.setAttribute("href", said.icons + "#" + n); s.append(u); return s; };
  const el = (tag, cls, text) => { const n = document.createElement(tag); if (cls) n.className = cls; if (text != null) n.textContent = text; return n; };
  function toast({ title, body, tone = "good", icon = "circle-check", action, href, act, sticky }) {
    const t = el("div", "toast"), i = svg(icon); i.classList.add("tone-" + tone);
    const b = el("div"); b.append(el("b", "med", title)); if (body) b.append(el("p", "", body));
    const x = el("button", "btn ghost sm icon-only"); x.type = "button"; x.setAttribute("aria-label", said.tDismiss); x.append(svg("x")); x.addEventListener("click", () => t.remove());
    t.append(i, b, x);
    if (action && act) { const a = el("div", "acts"), l = el("button", "link", action); l.type = "button"; l.addEventListener("click", () => { t.remove(); act(); }); a.append(l); t.append(a); }
    if (action && href) { const a = el("div", "acts"), l = el("a", "link", action); l.href = href; a.append(l); t.append(a); }
    const box = $("#toasts"); box.append(t); while (box.children.length > 3) box.firstElementChild.remove();
    if (!sticky) setTimeout(() => t.remove(), 8000);
  }
  /* the server writes 9 Dec and 14:31 in English, so the charts do */
  const lang = root.lang === "en" ? "en-GB" : root.lang;
  window.ui = { $, $$, svg, el, toast, reduce, lang };

  /* copying: browsers keep their clipboard from pages without https, where the older command still works; failing both, the
     text is marked, so that it can be copied by hand. data-unspaced leaves out the blanks that only help reading */
  async function copy(button, from) {
    if (!from) return;
    const shown = from.value ?? from.textContent, text = "unspaced" in button.dataset ? shown.replace(/\s/g, "") : shown.trim();
    const mark = () => { if (from.select) from.select(); else getSelection().selectAllChildren(from); };
    const older = () => {
      const box = el("textarea", "sr"); box.value = text; box.readOnly = true; button.after(box); box.select();
      let done = false; try { done = document.execCommand("copy"); } catch { /* refused: told below */ }
      box.remove(); button.focus(); return done;
    };
    let done = false; try { await navigator.clipboard.writeText(text); done = true; } catch { done = older(); }
    if (!done) { mark(); toast({ title: said.tMarked, body: said.tMarked2, tone: "warn", icon: "copy" }); return; }
    toast({ title: said.tCopied });
    const use = $("use", button), was = use?.getAttribute("href");
    if (use && !button.classList.contains("did")) { button.classList.add("did"); use.setAttribute("href", said.icons + "#check"); setTimeout(() => { use.setAttribute("href", was); button.classList.remove("did"); }, 2400); }
  }

  /* shortcuts: single keys never fire while typing */
  let pending = "";
  const go = (attr, key) => { const a = $$(`[${attr}]`).find(n => n.getAttribute(attr) === key); if (a) location.href = a.getAttribute("href"); };
  document.addEventListener("keydown", e => {
    if ((e.metaKey || e.ctrlKey) && e.key.toLowerCase() === "k") { const d = $("#cmdk"); if (!d) return; e.preventDefault(); d.open ? d.close() : d.showModal(); return; }
    if (e.metaKey || e.ctrlKey || e.altKey || e.target.closest?.("input,textarea,select,[contenteditable],dialog")) return;
    if (e.key === "/" && $("#cmdk")) { e.preventDefault(); $("#cmdk").showModal(); }
    if (e.key === "?") $("#keys")?.showModal();
    if (pending === "g") go("data-go", e.key);
    if (pending === "c") go("data-make", e.key);
    pending = pending ? "" : e.key === "g" || e.key === "c" ? e.key : ""; setTimeout(() => (pending = ""), 900);
  });

  /* server words: HX-Trigger {"toast": {...}}; errors of fragments never stay silent */
  document.addEventListener("toast", e => toast(e.detail));
  document.addEventListener("htmx:responseError", e => { if (e.target.closest?.("[data-quiet]")) return; const kind = e.detail.xhr.getResponseHeader("content-type") || ""; toast({ title: said.tRefused || "", body: kind.startsWith("text/plain") ? e.detail.xhr.responseText : "", tone: "bad", icon: "alert-triangle", sticky: true }); });
  document.addEventListener("htmx:sendError", e => { if (e.target.closest?.("[data-quiet]")) return; toast({ title: said.tLost || "", body: said.tLost2, tone: "bad", icon: "alert-triangle" }); });
  /* parts with data-poll="seconds" ask again by themselves; each answer says when. A hidden page and a lost server put it off */
  const timers = new WeakMap();
  const again = (n, s) => { clearTimeout(timers.get(n)?.id); timers.set(n, { at: n.dataset.at, id: setTimeout(() => n.isConnected && n.dataset.poll && htmx.trigger(n, "poll-again"), s * 1000) }); };
  const arm = () => $$("[data-poll]").forEach(n => { if (timers.get(n)?.at !== n.dataset.at) again(n, Number(n.dataset.poll)); });
  document.addEventListener("htmx:load", arm); document.addEventListener("htmx:afterSettle", arm);
  for (const name of ["htmx:sendError", "htmx:responseError"]) document.addEventListener(name, e => { const n = e.target.closest?.("[data-poll]"); if (n) again(n, 5); });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) $$("[data-poll]").forEach(n => htmx.trigger(n, "poll-again")); });
  document.addEventListener("htmx:beforeRequest", e => { if (document.hidden && e.target.matches?.("[data-poll]")) e.preventDefault(); });
  /* what no person asked for keeps nobody signed in */
  document.addEventListener("htmx:configRequest", e => { const by = e.detail.triggeringEvent; if (!by || by.type === "poll-again") e.detail.headers["X-Unattended"] = "1"; });
  /* progress is spoken at each quarter, not at each poll */
  const quarter = new Map();
  const speak = () => $$('[role="progressbar"][data-job]').forEach(p => {
    const q = Math.floor(Number(p.getAttribute("aria-valuenow") || 0) / 25), was = quarter.get(p.dataset.job);
    if (was !== undefined && q > was) { const box = $("#announcer"); if (box) box.textContent = `${p.getAttribute("aria-label")}: ${q * 25}%`; }
    quarter.set(p.dataset.job, q);
  });
  speak(); document.addEventListener("htmx:afterSettle", speak);

  document.addEventListener("alpine:init", () => {
    Alpine.data("shell", () => ({
      side: false, by: null,
      get sideClass() { return this.side ? "open" : ""; }, get sideAria() { return this.side ? "true" : "false"; },
      openSide(e) { this.side = true; this.by = e?.currentTarget; setTimeout(() => $("#side a")?.focus(), 60); }, closeSide() { this.side = false; },
      init() { document.addEventListener("keydown", e => { if (e.key === "Escape" && this.side) { this.side = false; this.by?.focus(); } }); },
      cycleTheme() {
        const dark = said.theme === "dark" || (said.theme === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
        const t = dark ? "light" : "dark"; said.theme = t; localStorage.setItem("theme", t); dispatchEvent(new Event("themechange"));
        if (said.themeUrl) htmx.ajax("POST", said.themeUrl, { values: { theme: t }, swap: "none", source: document.body });
      },
    }));
    Alpine.data("cmdk", () => ({
      init() { this.$root.addEventListener("htmx:afterSwap", () => this.pick(0)); this.pick(0); },
      opts() { return $$('[role="option"]', this.$root).filter(o => !o.hidden); },
      filter(e) { const q = e.target.value.trim().toLowerCase(); $$('[role="option"]:not([data-found])', this.$root).forEach(o => (o.hidden = !o.textContent.toLowerCase().includes(q))); $$('[role="group"]:not([data-found])', this.$root).forEach(g => (g.hidden = !$$('[role="option"]', g).some(o => !o.hidden))); this.pick(0); },
      pick(i) { const o = this.opts(), input = $("input", this.$root); $$('[role="option"]', this.$root).forEach(x => x.setAttribute("aria-selected", x === o[i])); if (o[i]) { input.setAttribute("aria-activedescendant", o[i].id); if (this.$root.open) o[i].scrollIntoView({ block: "nearest" }); } else input.removeAttribute("aria-activedescendant"); },
      onKey(e) { const o = this.opts(), i = o.findIndex(x => x.getAttribute("aria-selected") === "true"); if (!o.length) return; if (e.key === "ArrowDown") { e.preventDefault(); this.pick((i + 1) % o.length); } if (e.key === "ArrowUp") { e.preventDefault(); this.pick((i - 1 + o.length) % o.length); } if (e.key === "Enter" && o[i]) { e.preventDefault(); location.href = o[i].getAttribute("href"); } },
    }));
    /* tabs on one page: role=tablist with buttons that name their panel */
    Alpine.data("tabset", () => ({
      go(e) { this.show(e.currentTarget); },
      show(btn) { $$('[role="tab"]', this.$root).forEach(x => { const on = x === btn; x.setAttribute("aria-selected", on); x.tabIndex = on ? 0 : -1; const p = document.getElementById(x.getAttribute("aria-controls")); if (p) p.hidden = !on; }); },
      keys(e) { const k = { ArrowRight: 1, ArrowLeft: -1 }[e.key]; if (!k) return; const tabs = $$('[role="tab"]', this.$root), n = tabs[(tabs.indexOf(document.activeElement) + k + tabs.length) % tabs.length]; n.focus(); this.show(n); },
    }));
  });
})();
