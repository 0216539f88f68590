"use strict";
// A ticket's page as it is now: whatever happens to the ticket, what is said on it and what waits there are fetched anew, and
// ever more rarely while a mail of it waits to leave, of which nothing is told. What is being typed, read or unfolded meanwhile
// stays. Without this the page is right as of when it was loaded.
(() => {
  const page = document.querySelector("[data-live]");
  if (!page || !window.EventSource) return;
  const path = page.dataset.live;
  const number = Number(path.split("/").pop());
  let running = false;
  let again = false;
  let pause = 3000;
  let timer = 0;

  // What an article says, but for times, which only grow older, and for what keeps forged forms out.
  const said = (article) => {
    const copy = article.cloneNode(true);
    copy.querySelectorAll("time, input[type=hidden]").forEach((each) => each.remove());
    return copy.innerHTML;
  };

  const renew = (here, fresh) => {
    const now = new Map([...here.children].map((each) => [each.id, each]));
    let last = null;
    for (const each of [...fresh.children]) {
      const old = now.get(each.id);
      const kept = old && (old.contains(document.activeElement) || said(old) === said(each)) ? old : document.adoptNode(each);
      if (old && old !== kept) old.replaceWith(kept);
      else if (!old) here.insertBefore(kept, last ? last.nextSibling : here.firstChild);
      now.delete(each.id);
      last = kept;
    }
    now.forEach((gone) => gone.remove());
  };

  const look = async () => {
    if (running) {
      again = true;
      return;
    }
    running = true;
    try {
      const answer = await fetch(path, { redirect: "error", headers: { Accept: "text/html" } });
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      page.querySelectorAll("[data-part]").forEach((here) => {
        const part = fresh.querySelector(`[data-part="${here.dataset.part}"]`);
        if (part) renew(here, part);
      });
    } catch {
      // The next thing that happens is another chance.
    } finally {
      running = false;
      if (again) {
        again = false;
        look();
      } else {
        later();
      }
    }
  };

  const later = () => {
    clearTimeout(timer);
    if (!page.querySelector("[data-waiting]")) return;
    timer = setTimeout(look, pause);
    pause = Math.min(pause * 2, 300000);
  };

  const atOnce = () => {
    pause = 3000;
    look();
  };

  const stream = new EventSource("/api/v1/events");
  stream.addEventListener("ticket", (event) => {
    if (JSON.parse(event.data).ticket === number) atOnce();
  });
  stream.addEventListener("reset", atOnce);
  stream.addEventListener("open", atOnce); // for what happened since the page was made
  later();
})();
