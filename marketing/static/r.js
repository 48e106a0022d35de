/* Perennial's picks on a page of a shop. One tag, and an element for each placement:
 *
 *   <div data-perennial-picks="home" data-title="You may like"></div>
 *   <script async src="https://marketing.example.com/r.js" data-key="wk_…"></script>
 *
 * data-product  stock code of the page's product     data-items  stock codes, with commas
 * data-size     how many at most                     data-title  a heading above the list
 *
 * The element stays empty where there is nothing to show. The visitor is named, and what is shown
 * and clicked is told, by the tracker (t.js) alone: without it or consent, nobody is. Call
 * perennialPicks() to ask again, as after a change of page. Nothing here throws into the page.
 */
(function (win, doc) {
  "use strict";
  var tag = doc.currentScript || doc.querySelector("script[data-key][src*='/r']");
  if (!tag || win.perennialPicks) return;
  var host = (tag.dataset.host || new URL(tag.src, location.href).origin).replace(/\/$/, "");

  function tell(name, answer, more) {
    try {
      if (win.perennial) {
        win.perennial("track", name, Object.assign(
          { placement: answer.placement, engine: answer.engine, set: answer.set }, more));
      }
    } catch (e) { /* a page never breaks because of us */ }
  }

  function make(name, kind, text) {
    var made = doc.createElement(name);
    made.className = "perennial-" + kind;
    if (text) made.textContent = text;
    return made;
  }

  function safe(url) {
    return /^https?:\/\//i.test(url) ? url : "";
  }

  function money(product) {
    if (product.price === null) return "";
    try {
      return new Intl.NumberFormat(doc.documentElement.lang || undefined,
        { style: "currency", currency: product.currency }).format(product.price);
    } catch (e) { return product.price + " " + product.currency; }
  }

  function card(answer, pick) {
    var product = pick.product;
    var item = make("li", "pick");
    var link = make(safe(product.url) ? "a" : "span", "link");
    if (safe(product.url)) link.href = product.url;
    if (safe(product.image_url)) {
      var image = make("img", "image");
      image.alt = "";
      image.loading = "lazy";
      image.src = product.image_url;
      link.appendChild(image);
    }
    link.appendChild(make("span", "name", product.name));
    if (money(product)) link.append(" ", make("span", "price", money(product)));
    item.appendChild(link);
    if (pick.reason.text) item.append(" ", make("small", "reason", pick.reason.text));
    link.addEventListener("click", function () {
      tell("recommendation_clicked", answer,
        { sku: product.sku, rank: pick.rank, by: pick.engine });
    });
    return item;
  }

  function seen(element, answer) {
    var skus = answer.data.map(function (pick) { return pick.product.sku; });
    function say() { tell("recommendation_shown", answer, { skus: skus }); }
    // An empty element is never on the screen; the hold-out counts from its answer on.
    if (!skus.length || !win.IntersectionObserver) return say();
    var watch = new IntersectionObserver(function (entries) {
      if (!entries.some(function (entry) { return entry.isIntersecting; })) return;
      watch.disconnect();
      say();
    });
    watch.observe(element);
  }

  function show(element, answer) {
    element.textContent = "";
    if (answer.data.length) {
      var title = element.dataset.title;
      var list = make("ul", "picks");
      if (title) {
        element.appendChild(make("h2", "title", title));
        list.setAttribute("aria-label", title);
      }
      list.setAttribute("role", "list"); // lists without bullets are none to some readers
      answer.data.forEach(function (pick) { list.appendChild(card(answer, pick)); });
      element.appendChild(list);
    }
    if (answer.data.length || answer.held_out) seen(element, answer);
  }

  function ask(element) {
    var data = element.dataset;
    var id = win.perennial && win.perennial.id ? win.perennial.id() : "";
    var body = { writeKey: tag.dataset.key, placement: data.perennialPicks };
    if (id) body.anonymousId = id;
    if (data.product) body.product = data.product;
    if (data.items) body.items = data.items.split(",");
    if (+data.size) body.size = +data.size;
    // text/plain is a simple request: no preflight, so one round trip.
    fetch(host + "/r/picks", {
      method: "POST", body: JSON.stringify(body), mode: "cors", credentials: "omit",
      headers: { "Content-Type": "text/plain" }
    }).then(function (answer) {
      return answer.ok ? answer.json() : null;
    }).then(function (answer) {
      if (answer) show(element, answer);
    }).catch(function () { /* the page stays as it is */ });
  }

  function run() {
    doc.querySelectorAll("[data-perennial-picks]").forEach(ask);
  }

  win.perennialPicks = run;
  if (doc.readyState === "loading") doc.addEventListener("DOMContentLoaded", run);
  else run();
})(window, document);
