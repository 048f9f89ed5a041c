// Storage for oidc-provider. Its own in-memory adapter forgets after 1000 entries, which a busy spec reaches.

const all = new Map();

class Store {
  constructor(model) {
    this.model = model;
    if (!all.has(model)) all.set(model, new Map());
    this.items = all.get(model);
  }

  async upsert(id, payload) { this.items.set(id, payload); }

  async find(id) { return this.items.get(id); }

  async findByUid(uid) {
    for (const item of this.items.values()) if (item.uid === uid) return item;
    return undefined;
  }

  async findByUserCode() { return undefined; }

  async consume(id) {
    const item = this.items.get(id);
    if (item) item.consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) { this.items.delete(id); }

  async revokeByGrantId(grantId) {
    for (const [id, item] of this.items) if (item.grantId === grantId) this.items.delete(id);
  }
}

export const adapter = (model) => new Store(model);
