/** What the module at `path` exports. */
export function importBundled(path: string): Promise<unknown>
