// Keeps the pages live: every change of an alert, the age of what is shown, and the silence when the link is lost.
"use strict";

(() => {
  const SILENT_AFTER_MS = 12000; // the gateway beats every 5 s
  const REOPEN_AFTER_MS = 20000;
  const HOLD_AFTER_TOUCH_MS = 600;
  const READ_AFTER_MS = 1500; // from when a card changes until somebody can have read it

  const link = document.getElementById("link");
  if (!link) return;
  const words = document.getElementById("words").dataset;
  const board = document.getElementById("board");
  const detail = document.getElementById("detail");
  const said = document.getElementById("said");
  const toast = document.getElementById("toast");
  const title = document.title;
  const say = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "–");

  // --- time, as the gateway has it ---

  let server = Date.parse(document.body.dataset.now);
  let heardAt = performance.now();
  let pace = 1; // how fast the gateway's clock runs: a demonstration plays an evening in minutes
  const now = () => server + (performance.now() - heardAt) * pace;

  let mark = { server, local: heardAt };

  function setClock(at) {
    const local = performance.now();
    const passed = local - mark.local;
    if (passed >= 2000) {
      const measured = (at - mark.server) / passed;
      pace = Math.abs(measured - 1) < 0.1 ? 1 : Math.max(0, measured);
      mark = { server: at, local };
    }
    server = at;
    heardAt = local;
  }

  function largest(seconds) {
    const minutes = Math.max(1, Math.floor(seconds / 60));
    if (minutes < 120) return ["minute", minutes];
    const hours = Math.floor(minutes / 60);
    return hours < 48 ? ["hour", hours] : ["day", Math.floor(hours / 24)];
  }

  function age(seconds) {
    if (seconds < -60) return words.ahead;
    if (seconds < 60) return words.now;
    const [unit, n] = largest(seconds);
    return say(words[unit + "s"], { n });
  }

  function span(seconds) {
    const [unit, n] = largest(seconds);
    const name = unit[0].toUpperCase() + unit.slice(1);
    return say(words["span" + name + (n === 1 ? "" : "s")], { n });
  }

  function clockFace(seconds) {
    const two = (n) => String(n).padStart(2, "0");
    const minutes = Math.floor(seconds / 60);
    const rest = two(Math.floor(seconds % 60));
    return minutes < 60 ? `${minutes}:${rest}` : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${rest}`;
  }

  const write = (element, text) => {
    if (element.textContent !== text) element.textContent = text;
  };

  function showTimes() {
    for (const time of document.querySelectorAll("[data-age]")) {
      write(time, age((now() - Date.parse(time.dateTime)) / 1000));
    }
    for (const mark of document.querySelectorAll("[data-late]")) {
      write(mark, say(words.late, { span: span((now() - Date.parse(mark.dataset.late)) / 1000) }));
    }
    for (const time of document.querySelectorAll("[data-deadline]")) {
      const left = (Date.parse(time.dateTime) - now()) / 1000;
      write(time, left > 0 ? clockFace(left) : words.passed);
      time.parentElement.classList.toggle("passed", left <= 0);
    }
  }

  // A break that has ended by itself, or was begun or ended by a press: the keyboard goes to what stands there now.
  function showBreak() {
    const rest = document.querySelector("#rest [data-ends]");
    if (!rest || now() < Date.parse(rest.dataset.ends)) return;
    delete rest.dataset.ends;
    htmx.ajax("GET", "/", { target: "#rest", select: "#rest", swap: "outerHTML" });
  }
  document.body.addEventListener("htmx:afterSwap", (event) => {
    if (!event.detail.requestConfig.path.startsWith("/break")) return;
    document.querySelector("#rest summary, #rest button")?.focus();
  });

  // --- the cards ---

  let held = 0; // until when nothing may move, because a finger is on the glass
  const waiting = [];
  const later = (work) => {
    waiting.push(work);
    flush();
  };
  function flush() {
    if (performance.now() < held) {
      setTimeout(flush, 50);
      return;
    }
    while (waiting.length) waiting.shift()();
    count();
    showTimes();
  }
  document.addEventListener("pointerdown", () => (held = performance.now() + 2000), true);
  for (const end of ["pointerup", "pointercancel"]) {
    document.addEventListener(end, () => (held = performance.now() + HOLD_AFTER_TOUCH_MS), true);
  }

  const cardOf = (id) => document.getElementById("alert-" + id);
  const part = (card, name) => card.querySelector(`[data-said="${name}"]`)?.textContent.trim() ?? "";
  const about = (card) => ({ severity: part(card, "severity"), text: part(card, "text"), home: part(card, "home") });

  // Nobody has read what was drawn a moment ago: a High alert that came again, or became High, just now is
  // closed with what stood there before, and the gateway refuses it.
  const looked = new Map(); // alert -> what it shows, what it showed, and from when the new counts as read
  function look(card) {
    const { alert, count, severity } = card.dataset;
    const last = looked.get(alert);
    const shows = `severity=${severity}&seen=${count}`;
    if (last?.shows === shows) return;
    looked.set(alert, { shows, before: last?.shows, readAt: last ? performance.now() + READ_AFTER_MS : 0 });
  }
  function lookAt(part) {
    for (const card of part.querySelectorAll("article")) look(card);
    if (part.matches?.("article")) look(part);
  }
  document.body.addEventListener("htmx:load", (event) => lookAt(event.detail.elt));
  document.body.addEventListener("htmx:configRequest", (event) => {
    const card = event.detail.elt.closest("article[data-severity=high]");
    const shown = card && looked.get(card.dataset.alert);
    if (!shown || performance.now() >= shown.readAt) return;
    event.detail.path = event.detail.path.replace(/\?severity=\w+&seen=\d+$/, `?${shown.before}`);
  });

  function put(item, first) {
    const old = cardOf(item.id);
    if (old && Number(old.dataset.version) >= item.version) return;
    const template = document.createElement("template");
    template.innerHTML = item.html;
    const card = template.content.firstElementChild;
    const place = board?.querySelector(`[data-section="${item.queue}"] [data-cards]`);
    if (!old && !place) return;
    keepUse(old, card);
    look(card);
    if (place) {
      const next = [...place.children].find((one) => one !== old && one.dataset.sort > item.sort);
      old?.remove();
      place.insertBefore(card, next ?? null);
    } else {
      old.replaceWith(card);
    }
    card.dispatchEvent(new CustomEvent("vaka:placed"));
    htmx.process(card);
    if (!first) tell(old, card);
  }

  // A question that somebody is answering stays open with what was written, and the keyboard stays where it was.
  function keepUse(old, card) {
    if (!old) return;
    for (const name of ["close", "eta"]) {
      const question = card.querySelector(`details.${name}`);
      if (question && old.querySelector(`details.${name}[open]`)) question.open = true;
    }
    const written = old.querySelector(".close [name=note]")?.value;
    const note = card.querySelector(".close [name=note]");
    if (note && written) note.value = written;
    const focused = old.contains(document.activeElement) ? document.activeElement : null;
    if (!focused) return;
    const answer = focused.dataset.answer;
    card.addEventListener("vaka:placed", () => {
      const same = answer && card.querySelector(`[data-answer="${answer}"]`);
      (same || card.querySelector(focused.localName) || card.querySelector("a")).focus();
    });
  }

  function tell(old, card) {
    const offered = card.dataset.state === "offered";
    if (!old) {
      card.classList.add("new");
      said.textContent = say(words.new, about(card));
    }
    if (offered && card.dataset.severity === "high" && (!old || old.dataset.state !== "offered")) ring();
  }

  function remove(id) {
    const card = cardOf(id);
    if (!card) return;
    said.textContent = say(words.gone, about(card));
    looked.delete(id);
    card.remove();
  }

  function take(items, whole, first) {
    later(() => {
      const shown = new Set(items.map((item) => item.id));
      if (whole && board) {
        for (const card of board.querySelectorAll("article")) if (!shown.has(card.dataset.alert)) remove(card.dataset.alert);
      }
      for (const item of items) {
        if (item.open) put(item, first);
        else if (board) remove(item.id);
      }
      const watched = detail?.dataset.detail;
      if (watched && (shown.has(watched) || whole) && !first) {
        // An open alert's card came just now, and somebody may be answering on it: only the rest is read again.
        const part = items.some((item) => item.id === watched && item.open) ? "#course" : "#detail";
        htmx.ajax("GET", location.pathname + location.search, { target: part, select: part, swap: "outerHTML" });
      }
    });
  }

  function count() {
    if (!board) return;
    let all = 0;
    for (const section of board.querySelectorAll("[data-section]")) {
      const n = section.querySelectorAll("article").length;
      all += n;
      write(section.querySelector("[data-number]"), String(n));
      section.querySelector(".empty").hidden = n > 0;
    }
    document.title = all ? `(${all}) ${title}` : title;
  }

  function showMore(n) {
    const more = document.getElementById("more");
    if (!more) return;
    more.hidden = n === 0;
    write(more, say(more.dataset.text, { n }));
  }

  // --- the link ---

  const text = document.getElementById("link-text");
  const lost = document.getElementById("link-lost");
  const disturbed = document.getElementById("link-disturbed");
  let source = null;
  let first = true;
  let openedAt = 0;
  let lastWord = performance.now();

  function heard(event) {
    const data = JSON.parse(event.data);
    setClock(Date.parse(data.at));
    lastWord = performance.now();
    connected(true);
    const bad = data.status !== "ok";
    write(disturbed, bad ? disturbed.dataset.text : "");
    disturbed.hidden = !bad;
    if (board) board.dataset.cursor = data.cursor;
    return data.alerts;
  }

  function connected(well) {
    const state = well ? "connected" : "lost";
    if (link.dataset.state === state) return;
    link.dataset.state = document.body.dataset.link = state;
    lost.hidden = well;
    if (well) {
      write(text, text.dataset.connected);
      return;
    }
    const time = new Date(Date.now() - (performance.now() - lastWord)).toLocaleTimeString("sv-SE");
    const loud = document.createElement("strong");
    loud.textContent = lost.dataset.lost;
    const since = document.createElement("span");
    since.textContent = say(lost.dataset.since, { time });
    const box = document.createElement("div");
    box.append(loud, since);
    lost.lastElementChild.replaceWith(box);
  }

  function open() {
    source?.close();
    openedAt = performance.now();
    source = new EventSource(link.dataset.live);
    source.addEventListener("snapshot", (event) => {
      take(heard(event), true, first);
      showMore(JSON.parse(event.data).more ?? 0);
      first = false;
    });
    source.addEventListener("alerts", (event) => take(heard(event), false, false));
    source.addEventListener("beat", heard);
    source.addEventListener("bye", () => {
      source.close();
      location.reload();
    });
  }

  function watch() {
    const silent = performance.now() - lastWord;
    if (silent > SILENT_AFTER_MS || source.readyState === EventSource.CLOSED) connected(false);
    const stuck = silent > REOPEN_AFTER_MS || source.readyState === EventSource.CLOSED;
    if (stuck && performance.now() - openedAt > 5000) open();
    showTimes();
    showBreak();
  }

  // --- sound: only after a person asked for it ---

  const sound = document.getElementById("sound");
  let audio = null;
  if (sound) {
    sound.hidden = false;
    sound.addEventListener("click", () => {
      const on = sound.getAttribute("aria-pressed") !== "true";
      sound.setAttribute("aria-pressed", String(on));
      sound.textContent = on ? sound.dataset.off : sound.dataset.on;
      if (on) {
        audio = audio ?? new AudioContext();
        audio.resume();
        ring();
      }
    });
  }

  function ring() {
    if (!audio || sound.getAttribute("aria-pressed") !== "true") return;
    [0, 0.25, 0.5].forEach((after, index) => {
      const tone = audio.createOscillator();
      const loudness = audio.createGain();
      const start = audio.currentTime + after;
      tone.frequency.value = [660, 660, 880][index];
      loudness.gain.setValueAtTime(0.25, start);
      loudness.gain.exponentialRampToValueAtTime(0.001, start + 0.22);
      tone.connect(loudness).connect(audio.destination);
      tone.start(start);
      tone.stop(start + 0.23);
    });
  }

  // --- answers: one that fails must be unmistakable ---

  let toastUntil = 0;
  function show(message, bad) {
    toast.className = bad ? "bad" : "";
    toast.textContent = message;
    const until = (toastUntil = performance.now() + (bad ? 10000 : 4000));
    setTimeout(() => toastUntil === until && (toast.textContent = ""), until - performance.now());
  }

  document.body.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.xhr.status !== 200) event.detail.shouldSwap = false;
  });
  // The card may be gone before its answer comes back, and htmx tells only what is still on the page.
  document.body.addEventListener("htmx:beforeSend", (event) => {
    if (event.detail.requestConfig.verb !== "post") return;
    const xhr = event.detail.xhr;
    xhr.addEventListener("loadend", () => {
      const form = event.detail.elt;
      if (xhr.status === 200 && form.dataset.done) {
        show(form.dataset.done, false);
        form.reset();
        form.closest("details").open = false;
      }
      if (xhr.status === 200) return;
      const plain = (xhr.getResponseHeader("content-type") ?? "").startsWith("text/plain");
      show(plain && xhr.responseText ? xhr.responseText : words.answerLost, true);
    });
  });

  document.addEventListener("visibilitychange", () => document.hidden || watch());
  addEventListener("pageshow", (event) => event.persisted && location.reload());
  lookAt(document);
  open();
  showTimes();
  setInterval(watch, 1000);
})();
