// Shows a push without content, tells the gateway that it is on the screen, and opens the alert on a press.
"use strict";

const WORDS = {
  sv: { title: "Larm · öppna Vaka", body: "Tryck för att se larmet." },
  en: { title: "Alert · open Vaka", body: "Press to see the alert." },
};
const RECEIPT_TRIES = 4;
const RECEIPT_PAUSE_MS = 800;

const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const words = () => WORDS[navigator.language.toLowerCase().startsWith("sv") ? "sv" : "en"];

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("push", (event) => event.waitUntil(show(event.data)));
self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(open(event.notification.data?.alert));
});

function read(data) {
  try {
    const word = data.json();
    return { alert: String(word.alert ?? ""), kind: String(word.class ?? ""), receipt: String(word.receipt ?? "") };
  } catch {
    return { alert: "", kind: "", receipt: "" }; // a push must show something, whatever it holds
  }
}

async function show(data) {
  const { alert, kind, receipt } = read(data);
  const { title, body } = words();
  const high = kind === "high";
  await self.registration.showNotification(title, {
    body,
    tag: alert || "vaka",
    renotify: true,
    requireInteraction: high,
    vibrate: high ? [400, 150, 400, 150, 400] : [200],
    icon: "/static/icon.svg",
    data: { alert },
  });
  if (receipt) await tell(receipt);
}

// The receipt is sent only after the notification is shown, and by this worker alone: no page need be open.
async function tell(receipt) {
  for (let tried = 1; tried <= RECEIPT_TRIES; tried++) {
    try {
      const answer = await fetch("/hooks/push/" + encodeURIComponent(receipt), {
        method: "POST",
        credentials: "omit",
        keepalive: true,
      });
      if (answer.ok || answer.status === 404) return;
    } catch {
      // no network now
    }
    await wait(RECEIPT_PAUSE_MS * tried);
  }
}

async function open(alert) {
  const url = alert ? "/alerts/" + encodeURIComponent(alert) : "/";
  const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const page = pages.find((one) => new URL(one.url).pathname === url);
  if (page) return page.focus();
  return self.clients.openWindow(url);
}
