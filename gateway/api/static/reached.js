// Tells the gateway which alerts this screen really shows, that the page is there, and where to push to.
"use strict";

(() => {
  const VISIBLE_FOR_MS = 800; // so long a card must have been on a visible screen
  const SEND_EVERY_MS = 500;
  const BEAT_MS = 60000;
  const SUBSCRIBE_MS = 10000;
  const link = document.getElementById("link");
  if (!link) return;
  const token = JSON.parse(document.body.getAttribute("hx-headers") ?? "{}");
  const call = (method, path, body) =>
    fetch("/api/v1/" + path, {
      method,
      headers: { ...token, ...(body && { "Content-Type": "application/json" }) },
      body: body && JSON.stringify(body),
    });

  // --- cards on the screen ---

  const told = new Map(); // alert -> the version that was told
  const since = new Map(); // card -> from when it is on the screen
  const watcher = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        if (isIntersecting) since.set(target, performance.now());
        else since.delete(target);
      }
    },
    { threshold: 0.5 },
  );
  const look = (part) => {
    for (const card of part.querySelectorAll?.("article[data-alert]") ?? []) watcher.observe(card);
    if (part.matches?.("article[data-alert]")) watcher.observe(part);
  };
  look(document);
  new MutationObserver((changes) => {
    for (const { addedNodes, removedNodes } of changes) {
      for (const node of removedNodes) if (node.nodeType === 1) since.delete(node);
      for (const node of addedNodes) if (node.nodeType === 1) look(node);
    }
  }).observe(document.getElementById("main"), { childList: true, subtree: true });
  document.addEventListener("visibilitychange", () => {
    const now = performance.now();
    for (const card of since.keys()) since.set(card, now);
  });

  let sending = false;
  async function tell() {
    if (sending || document.hidden) return;
    const now = performance.now();
    const shown = [...since]
      .filter(([card, at]) => card.isConnected && now - at >= VISIBLE_FOR_MS)
      .map(([card]) => card.dataset)
      .filter(({ alert, version }) => told.get(alert) !== version);
    if (!shown.length) return;
    sending = true;
    try {
      const answer = await call("POST", "displayed", { alerts: shown.map(({ alert }) => alert) });
      if (answer.ok) for (const { alert, version } of shown) told.set(alert, version);
    } catch {
      // the link is lost, and the page says so; what is still shown is told again
    } finally {
      sending = false;
    }
  }
  setInterval(tell, SEND_EVERY_MS);

  // --- the page is there ---

  const beat = () => call("POST", "beat").catch(() => {});
  beat();
  setInterval(beat, BEAT_MS);

  // --- notifications ---

  const button = document.getElementById("push");
  const bytes = (text) => {
    const plain = atob(text.replace(/-/g, "+").replace(/_/g, "/") + "=".repeat((4 - (text.length % 4)) % 4));
    return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
  };
  const show = (on) => {
    button.hidden = false;
    button.disabled = on;
    button.textContent = on ? button.dataset.done : button.dataset.on;
  };
  const fail = (text) => {
    const toast = document.getElementById("toast");
    toast.className = "bad";
    toast.textContent = text;
  };

  async function keep(subscription) {
    const answer = await call("POST", "push/subscriptions", subscription.toJSON());
    if (!answer.ok) throw new Error(String(answer.status));
  }

  // A browser that cannot reach its push service may never answer.
  const inTime = (work) =>
    Promise.race([work, new Promise((_, fail) => setTimeout(() => fail(new Error("no answer")), SUBSCRIBE_MS))]);

  async function switchOn(worker, key) {
    button.disabled = true;
    try {
      if ((await Notification.requestPermission()) !== "granted") {
        show(false);
        return fail(button.dataset.denied);
      }
      const options = { userVisibleOnly: true, applicationServerKey: bytes(key) };
      await keep(await inTime(worker.pushManager.subscribe(options)));
      show(true);
    } catch {
      show(false);
      fail(button.dataset.failed);
    }
  }

  async function start() {
    if (!button || !("serviceWorker" in navigator) || !("PushManager" in window)) return;
    const answer = await call("GET", "push");
    const { key } = answer.ok ? await answer.json() : {};
    if (!key) return;
    await navigator.serviceWorker.register("/sw.js");
    const worker = await navigator.serviceWorker.ready;
    const subscription = await worker.pushManager.getSubscription();
    const granted = Notification.permission === "granted";
    if (subscription && granted) await keep(subscription); // told at every visit: the gateway may have lost it
    show(Boolean(subscription && granted));
    button.addEventListener("click", () => switchOn(worker, key));
  }
  start().catch(() => {});
})();
