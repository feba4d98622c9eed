// The page works without this script. The script keeps it up to date: when the server
// reports a change, it fetches the same page again and replaces the parts that differ.
"use strict";
(() => {
  const main = document.getElementById("main");
  const live = document.getElementById("live");
  const minInterval = 1000; // ms between two fetches
  const maxAge = 15000; // ms after which the page is fetched even without a change
  const rendered = new Map(); // HTML of each part as sent by the server, by id
  const sentOpen = new Map(); // whether the server sent a details element open, by id
  let revision = main.dataset.revision; // of the shown page
  let newest = revision; // newest revision that the server reported
  let last = Date.now();
  let timer = 0;

  const parts = (root) => [...root.querySelectorAll("#main > [id], #foot, #lang")];
  for (const part of parts(document)) rendered.set(part.id, part.outerHTML);
  for (const one of main.querySelectorAll("details")) sentOpen.set(one.id, one.open);

  const setStatus = (text, off) => {
    live.hidden = false;
    live.classList.toggle("off", off);
    if (live.textContent !== text) live.textContent = text;
  };

  const schedule = () => {
    if (timer || document.hidden) return;
    timer = setTimeout(refresh, Math.max(0, last + minInterval - Date.now()));
  };

  async function refresh() {
    const known = newest;
    last = Date.now();
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (answer.status >= 500) throw new Error(answer.statusText); // possibly of a proxy
      apply(new DOMParser().parseFromString(await answer.text(), "text/html"));
      setStatus(live.dataset.good, false);
    } catch {
      setStatus(live.dataset.lost, true);
    }
    last = Date.now();
    timer = 0;
    if (newest !== known && newest !== revision) schedule(); // a change during the fetch
  }

  // apply replaces the parts that differ from a fresh page.
  function apply(fresh) {
    const next = fresh.getElementById("main");
    if (!next) return;
    revision = next.dataset.revision;
    document.title = fresh.title;
    const icon = document.querySelector("link[rel=icon]"), now = fresh.querySelector("link[rel=icon]");
    if (icon.getAttribute("href") !== now.getAttribute("href")) icon.replaceWith(document.importNode(now));
    const wanted = parts(fresh);
    const ids = new Set(wanted.map((part) => part.id));
    for (const part of parts(document)) if (!ids.has(part.id)) drop(part);
    let before = null; // the part that precedes the next one
    for (const part of wanted) {
      let here = document.getElementById(part.id);
      if (part.parentElement.id !== "main") {
        if (here) update(here, part);
        continue;
      }
      if (!here) {
        here = document.importNode(part, true);
        rendered.set(part.id, part.outerHTML);
        main.insertBefore(here, before ? before.nextElementSibling : main.firstElementChild);
      } else {
        const place = before ? before.nextElementSibling : main.firstElementChild;
        if (place !== here && !here.contains(document.activeElement)) main.insertBefore(here, place);
        update(here, part);
      }
      before = here;
    }
  }

  function drop(part) {
    if (part.contains(document.activeElement)) main.focus({ preventScroll: true });
    rendered.delete(part.id);
    part.remove();
  }

  // update replaces the contents of a part but keeps its element, so that it remains the same
  // live region. It does not touch a part with user input.
  function update(here, part) {
    const source = part.outerHTML;
    if (rendered.get(part.id) === source) return;
    const active = here.contains(document.activeElement) ? document.activeElement : null;
    if (active && active.matches("input, select")) return;
    const typed = [...here.querySelectorAll("input:not([type=hidden])")].some((one) => one.value);
    if (typed) return;
    const fresh = document.importNode(part, true);
    for (const one of fresh.querySelectorAll("details")) keepOpen(one);
    for (const { name, value } of fresh.attributes) here.setAttribute(name, value);
    here.replaceChildren(...fresh.childNodes);
    rendered.set(part.id, source);
    if (active && active !== here) restoreFocus(here, active);
  }

  // keepOpen preserves the state of a details element that the user opened or closed.
  function keepOpen(fresh) {
    const here = document.getElementById(fresh.id), wrote = fresh.open;
    if (here && sentOpen.has(fresh.id) && here.open !== sentOpen.get(fresh.id)) fresh.open = here.open;
    sentOpen.set(fresh.id, wrote);
  }

  // restoreFocus focuses the element that corresponds to the one that had the focus.
  function restoreFocus(here, was) {
    const same = (one) => (was.id ? one.id === was.id : one.textContent === was.textContent && one.getAttribute("href") === was.getAttribute("href"));
    const now = [...here.querySelectorAll(was.tagName)].find(same) ||
      (was.tagName === "SUMMARY" && was.parentElement.id && document.getElementById(was.parentElement.id)?.querySelector("summary"));
    (now || main).focus({ preventScroll: true });
  }

  function listen() {
    const events = new EventSource("/events");
    events.addEventListener("changed", (event) => {
      setStatus(live.dataset.good, false);
      newest = event.lastEventId;
      if (newest !== revision) schedule();
    });
    events.addEventListener("error", () => {
      setStatus(live.dataset.lost, true);
      // The browser does not reconnect after an error status.
      if (events.readyState === EventSource.CLOSED) setTimeout(listen, maxAge);
    });
  }

  listen();
  setInterval(() => {
    if (!document.hidden && Date.now() - last >= maxAge) schedule();
  }, maxAge / 3);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) schedule();
  });
})();
