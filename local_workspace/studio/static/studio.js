"use strict";
// While something may change, parts marked data-live are taken anew from the page itself, and the
// log is continued from the byte where it ended.
(() => {
  const LIVE_MS = 3000;
  const LOG_MS = 1000;
  const run = document.getElementById("run");
  const log = document.getElementById("log");
  const live = [...document.querySelectorAll("[data-live]")];

  async function refresh() {
    const answer = await fetch(location.href);
    if (!answer.ok) return false;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of live) {
      const other = fresh.querySelector(`[data-live="${part.dataset.live}"]`);
      if (other && other.innerHTML !== part.innerHTML) part.innerHTML = other.innerHTML;
    }
    const children = document.getElementById("children");
    if (children) children.hidden = fresh.getElementById("children").hidden;
    // The first log, or one that people rather look for: a page with a place for it.
    const logNow = fresh.getElementById("log");
    if (logNow && (!log || logNow.dataset.path !== log.dataset.path)) location.reload();
    return !run || fresh.querySelector("#run[data-running]") !== null;
  }

  async function follow() {
    const query = new URLSearchParams({ path: log.dataset.path, start: log.dataset.next });
    const answer = await fetch(`/studio/runs/${encodeURIComponent(run.dataset.run)}/log?${query}`);
    if (!answer.ok) return false;
    const part = await answer.json();
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    log.append(part.text);
    log.dataset.next = part.next;
    if (atEnd) log.scrollTop = log.scrollHeight;
    return part.text !== "" || !part.ended;
  }

  function repeat(step, pause) {
    setTimeout(async () => {
      let goesOn = true;
      try {
        // A page that nobody looks at asks for nothing.
        if (!document.hidden) goesOn = await step();
      } catch {
        // The server may be starting anew: ask again.
      }
      if (goesOn) repeat(step, pause);
    }, pause);
  }

  if (log) log.scrollTop = log.scrollHeight;
  if (live.length && (!run || "running" in run.dataset)) repeat(refresh, LIVE_MS);
  if (log && run && "running" in run.dataset) repeat(follow, LOG_MS);
})();
