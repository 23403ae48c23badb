// The site without a network: its files are kept, and the page is isolated, so that it has threads.

const KEPT = "colorizer-VERSION";
const FILES = ["FILES"];

self.oninstall = (event) =>
  event.waitUntil(caches.open(KEPT).then((cache) => cache.addAll(FILES)).then(() => skipWaiting()));

self.onactivate = (event) =>
  event.waitUntil(
    caches.keys()
      .then((names) => Promise.all(names.filter((each) => each !== KEPT).map((each) => caches.delete(each))))
      .then(() => clients.claim()),
  );

self.onfetch = (event) => event.respondWith(answer(event.request));

async function answer(request) {
  const kept = (await caches.match(request, { ignoreSearch: true })) ?? (await fetch(request));
  const headers = new Headers(kept.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  return new Response(kept.body, { status: kept.status, statusText: kept.statusText, headers });
}
