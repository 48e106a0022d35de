/* Perennial's web tracker. One tag starts it:
 *
 *   <script async src="https://marketing.example.com/t.js" data-key="wk_…"></script>
 *
 * data-consent="given"  the shop asks for consent itself and only then adds the tag
 * data-pages="off"      send no page views by itself
 * data-domain           share the visitor number between sub-domains, such as "example.com"
 * data-host             where events go, if not to where this file came from
 *
 * Nothing is stored or sent before perennial("consent", true), and nothing at all where the browser
 * says Do Not Track or Global Privacy Control. No call ever throws into the page.
 */
(function (win, doc) {
  "use strict";
  var nav = win.navigator;
  var stub = win.perennial;
  var tag = doc.currentScript || doc.querySelector("script[data-key][src*='/t']");
  if (!tag || (stub && stub.version)) return;
  var options = tag.dataset;
  var host = (options.host || new URL(tag.src, location.href).origin).replace(/\/$/, "");
  var VERSION = "1.0";
  var SESSION = 30 * 60e3; // a visit ends after so long without a call
  var YEAR = 31536000;
  var WAITING = 100; // calls remembered while nobody has answered about consent
  var QUEUED = 300; // calls kept for a shop that is offline
  var BATCH = 50;
  var BEACON = 60000; // browsers take 64 KB on leaving
  var LONGEST = 300e3;

  var given = options.consent === "given";
  var waiting = [];
  var memory = {};
  var beaconed = {};
  var seen = ""; // the address we are at
  var paged = ""; // the address whose page view was sent
  var before = doc.referrer;
  var size = BATCH;
  var tries = 0;
  var timer = 0;
  var sending = false;
  var stopped = false;

  /* --- what is kept: in localStorage, or in memory where the browser forbids it --- */

  // Memory holds only what could not be stored: another tab may change or remove all the rest.
  function read(name) {
    if (name in memory) return memory[name];
    try {
      var text = localStorage.getItem("perennial." + name);
      if (text) return JSON.parse(text);
    } catch (e) { /* forbidden, or not ours */ }
  }

  function write(name, value) {
    try {
      localStorage.setItem("perennial." + name, JSON.stringify(value));
      delete memory[name];
    } catch (e) { memory[name] = value; /* full or forbidden */ }
  }

  function forget(names) {
    names.forEach(function (name) {
      delete memory[name];
      try { localStorage.removeItem("perennial." + name); } catch (e) { /* forbidden */ }
    });
  }

  function cookie(value) {
    doc.cookie = "perennial_id=" + value + "; path=/; samesite=lax; max-age=" + (value ? YEAR : 0) +
      (options.domain ? "; domain=" + options.domain : "") +
      (location.protocol === "https:" ? "; secure" : "");
  }

  function random() {
    if (win.crypto && crypto.randomUUID) return crypto.randomUUID();
    var bytes = win.crypto ? crypto.getRandomValues(new Uint8Array(16)) : [];
    var text = "";
    for (var i = 0; i < 16; i++) {
      text += ("0" + (bytes[i] || (Math.random() * 256) | 0).toString(16)).slice(-2);
    }
    return text;
  }

  /* --- may we, and who is it --- */

  function objects() {
    return nav.globalPrivacyControl === true || (nav.doNotTrack || win.doNotTrack) === "1" ||
      nav.doNotTrack === "yes";
  }

  function may() {
    return !objects() && (given || read("consent") === true);
  }

  function visitor() {
    var found = /(?:^|; )perennial_id=([\w-]+)/.exec(doc.cookie);
    var id = (found && found[1]) || read("id") || random();
    if (!found) cookie(id);
    if (read("id") !== id) write("id", id);
    return id;
  }

  function visit(at) {
    var last = read("visit");
    var now = last && at - last.seen < SESSION ? last : { id: random(), started: at };
    now.seen = Math.max(at, now.seen || 0);
    write("visit", now);
    return { id: now.id, started: new Date(now.started).toISOString() };
  }

  /* --- one call: what is known now, and who it is once we may say so --- */

  function campaign(query) {
    var found = {};
    new URLSearchParams(query).forEach(function (value, name) {
      if (name.slice(0, 4) !== "utm_" || !value) return;
      name = name.slice(4);
      found[name === "campaign" ? "name" : name] = value;
    });
    return Object.keys(found).length ? found : undefined;
  }

  function hostOf(url) {
    try { return new URL(url).host; } catch (e) { return ""; }
  }

  function make(type, fields) {
    var now = new Date();
    var from = before && hostOf(before) !== location.host ? before : undefined;
    var tags = campaign(location.search);
    var message = {
      type: type,
      messageId: random(),
      timestamp: now.toISOString(),
      context: {
        library: { name: "perennial.js", version: VERSION },
        locale: nav.language,
        timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
        userAgent: nav.userAgent,
        screen: { width: screen.width, height: screen.height, density: win.devicePixelRatio },
        page: {
          url: location.href, path: location.pathname, search: location.search,
          title: doc.title, referrer: before
        },
        campaign: tags,
        referrer: from && { url: from, host: hostOf(from) }
      }
    };
    for (var name in fields) if (fields[name] !== undefined) message[name] = fields[name];
    if (objects()) return;
    // A copy: the page may change what it gave, and what JSON cannot say must not be queued.
    message = JSON.parse(JSON.stringify(message));
    if (may()) enqueue(message);
    else if (waiting.length < WAITING) waiting.push(message);
  }

  function enqueue(message) {
    var at = Date.parse(message.timestamp);
    var context = message.context;
    var old = read("visit");
    context.session = visit(at);
    var touch = context.campaign || context.referrer || !read("first")
      ? {
        campaign: context.campaign, referrer: context.referrer && context.referrer.url,
        landing: context.page.path, at: message.timestamp
      } : undefined;
    var last = read("last");
    // Every page of one visit shows the same address bar or referrer; that is still one touch.
    if (touch && !(last && old && old.id === context.session.id &&
        JSON.stringify([last.campaign, last.referrer]) ===
        JSON.stringify([touch.campaign, touch.referrer]))) {
      if (!read("first")) write("first", touch);
      write("last", touch);
    }
    context.first_touch = read("first");
    context.last_touch = read("last");
    message.anonymousId = visitor();
    if (!message.userId && read("user")) message.userId = read("user");
    write("queue", (read("queue") || []).concat(message).slice(-QUEUED));
    later(1000);
  }

  /* --- sending: in batches, again until it is answered, and at the last moment by beacon --- */

  function later(wait) {
    if (!timer && !stopped) timer = setTimeout(flush, wait);
  }

  function pack(batch) {
    return JSON.stringify({ writeKey: options.key, batch: batch, sentAt: new Date().toISOString() });
  }

  function settle(batch) {
    var done = {};
    batch.forEach(function (message) { done[message.messageId] = 1; });
    var queue = read("queue");
    // None is left when consent was taken back meanwhile.
    if (queue) write("queue", queue.filter(function (m) { return !done[m.messageId]; }));
    tries = 0;
    size = BATCH;
  }

  function retry(seconds) {
    var wait = seconds > 0 ? seconds * 1000 : Math.min(LONGEST, 1000 * Math.pow(2, tries));
    tries++;
    clearTimeout(timer); // of a call that came while we were sending
    timer = 0;
    later(wait * (0.75 + Math.random() / 2));
  }

  function flush() {
    clearTimeout(timer);
    timer = 0;
    if (sending || stopped || nav.onLine === false || !may()) return;
    var batch = (read("queue") || []).slice(0, size);
    if (!batch.length) return;
    var body = pack(batch);
    sending = true;
    // text/plain is a simple request: no preflight, so one round trip.
    fetch(host + "/v1/batch", {
      method: "POST", body: body, mode: "cors", credentials: "omit",
      headers: { "Content-Type": "text/plain" }, keepalive: body.length < BEACON
    }).then(function (answer) {
      sending = false;
      var status = answer.status;
      if (status === 401 || status === 403) stopped = true;
      else if (status === 413 && batch.length > 1) { size = batch.length >> 1; later(0); }
      else if (status === 408 || status === 429 || status > 499) {
        retry(+answer.headers.get("Retry-After"));
      } else { settle(batch); later(0); }
    }).catch(function () {
      sending = false;
      retry(0);
    });
  }

  // What a beacon carried stays queued until a later request is answered: the server knows each
  // call by its number and stores it once.
  function leave() {
    if (stopped || !nav.sendBeacon || nav.onLine === false || !may()) return;
    var batch = [];
    var length = 0;
    function send() {
      if (batch.length) nav.sendBeacon(host + "/v1/batch", pack(batch));
      batch = [];
      length = 0;
    }
    (read("queue") || []).forEach(function (message) {
      if (beaconed[message.messageId]) return;
      beaconed[message.messageId] = 1;
      var bytes = JSON.stringify(message).length * 1.2;
      if (length + bytes > BEACON) send();
      batch.push(message);
      length += bytes;
    });
    send();
  }

  /* --- what a page may call --- */

  function details(element) {
    var found = {};
    for (var name in element.dataset) {
      if (!/^perennial[A-Z]/.test(name) || /^perennial(View|Cart|Track)$/.test(name)) continue;
      var value = element.dataset[name];
      name = name.charAt(9).toLowerCase() + name.slice(10);
      found[name] = /^(price|quantity)$/.test(name) && value !== "" && !isNaN(value) ? +value : value;
    }
    if (element.dataset.perennialView) found.sku = element.dataset.perennialView;
    return found;
  }

  var CART = { add: "Product Added", remove: "Product Removed", view: "Cart Viewed" };
  var api = {
    page: function (name, properties) {
      if (typeof name === "object") { properties = name; name = undefined; }
      paged = address();
      var page = {
        url: location.href, path: location.pathname, search: location.search,
        title: doc.title, referrer: before
      };
      make("page", { name: name, properties: Object.assign(page, properties) });
    },
    track: function (event, properties) {
      make("track", { event: event, properties: properties || {} });
    },
    identify: function (id, traits) {
      if (id && typeof id === "object") { traits = id; id = undefined; }
      id = id === undefined || id === null ? undefined : String(id);
      if (id && may()) {
        // Somebody else signs in on the same device: a new visitor from here on.
        if (read("user") && read("user") !== id) api.reset();
        write("user", id);
      }
      make("identify", { userId: id, traits: traits || {} });
    },
    group: function (id, traits) {
      make("group", { groupId: String(id), traits: traits || {} });
    },
    alias: function (id, previous) {
      make("alias", { userId: String(id), previousId: previous || (may() ? visitor() : undefined) });
    },
    product: function (properties) { api.track("Product Viewed", properties); },
    cart: function (action, properties) { api.track(CART[action] || CART.view, properties); },
    search: function (query, properties) {
      api.track("Products Searched", Object.assign({ query: query }, properties));
    },
    order: function (properties) { api.track("Order Completed", properties); },
    consent: function (yes) {
      if (objects()) return;
      var calls = waiting;
      waiting = [];
      if (!yes) {
        given = false;
        forget(["consent", "id", "user", "visit", "first", "last", "queue"]);
        cookie("");
        return;
      }
      write("consent", true);
      calls.forEach(function (call) {
        if (call.type === "identify" && call.userId) write("user", call.userId);
        if (call.type === "alias" && !call.previousId) call.previousId = visitor();
        enqueue(call);
      });
    },
    reset: function () {
      forget(["id", "user", "visit"]);
      cookie("");
    },
    id: function () { return may() ? visitor() : null; },
    flush: flush
  };

  function perennial(name) {
    try {
      return api[name].apply(null, [].slice.call(arguments, 1));
    } catch (e) { /* a page never breaks because of us */ }
  }
  Object.keys(api).forEach(function (name) { perennial[name] = perennial.bind(null, name); });
  perennial.version = VERSION;
  win.perennial = perennial;

  /* --- what happens by itself --- */

  function safely(act) {
    return function (event) { try { act(event); } catch (e) { /* as above */ } };
  }

  function address() {
    return location.href.split("#")[0];
  }

  function arrive() {
    if (address() === seen) return;
    if (seen) before = seen;
    seen = address();
    if (options.pages !== "off" && paged !== seen) api.page();
    doc.querySelectorAll("[data-perennial-view]").forEach(function (element) {
      api.product(details(element));
    });
  }

  var arrived = safely(arrive);
  ["pushState", "replaceState"].forEach(function (name) {
    var original = history[name];
    history[name] = function () {
      var answer = original.apply(this, arguments);
      setTimeout(arrived, 0); // the page sets its title and contents first
      return answer;
    };
  });
  win.addEventListener("popstate", function () { setTimeout(arrived, 0); });
  win.addEventListener("pageshow", function (event) {
    if (event.persisted) { seen = paged = ""; beaconed = {}; arrived(); }
  });
  doc.addEventListener("click", safely(function (event) {
    var element = event.target.closest("[data-perennial-cart],[data-perennial-track]");
    if (!element) return;
    var product = element.closest("[data-perennial-view],[data-perennial-sku]");
    var found = Object.assign({}, product && details(product), details(element));
    var name = element.dataset.perennialTrack;
    if (name) api.track(name, found);
    else api.cart(element.dataset.perennialCart, found);
  }), true);
  win.addEventListener("online", safely(function () { tries = 0; flush(); }));
  win.addEventListener("storage", safely(function (event) {
    // Taken back in another tab, the only way these two go: what we hold in memory goes too.
    if (/^perennial\.(consent|first)$/.test(event.key) && !event.newValue) {
      given = false;
      memory = {};
      waiting = [];
    }
  }));
  win.addEventListener("pagehide", safely(leave));
  doc.addEventListener("visibilitychange", safely(function () {
    if (doc.visibilityState === "hidden") leave();
  }));

  [].concat((stub && stub.q) || []).forEach(function (call) { perennial.apply(null, call); });
  if (doc.readyState === "loading") doc.addEventListener("DOMContentLoaded", arrived);
  else arrived();
  if (may()) later(1000);
})(window, document);
