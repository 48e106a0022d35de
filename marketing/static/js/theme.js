/* Blocking and tiny: before sign-in there is no profile, so the device remembers the theme. */
(function () {
  var t = localStorage.getItem("theme") || "auto";
  document.documentElement.dataset.theme = t;
})();
