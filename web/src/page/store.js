// Work that survives a reload: IndexedDB, one record a photograph.

const NAME = "colorizer";

function opened() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(NAME, { keyPath: "id" });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

let database; // a promise, once it was asked for

/** Run `act(store)` in a transaction and return the result of the request that it returns. */
async function within(mode, act) {
  database ??= opened();
  const transaction = (await database).transaction(NAME, mode);
  const request = act(transaction.objectStore(NAME));
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve(request.result);
    transaction.onabort = () => reject(transaction.error);
  });
}

export const readAll = () => within("readonly", (store) => store.getAll());
export const keep = (record) => within("readwrite", (store) => store.put(record));
export const forget = (id) => within("readwrite", (store) => store.delete(id));
export const forgetAll = () => within("readwrite", (store) => store.clear());
