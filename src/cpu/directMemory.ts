/** Memory that loads and stores may reach without asking the bus: pages where an access does nothing but the access. */

/** Bits of an entry of `pages`. */
export const DIRECT_READ = 1
export const DIRECT_WRITE = 16

export interface DirectMemory {
  /** By linear page: offset in `bytes` of the page | DIRECT_READ | DIRECT_WRITE | bits of the owner's. */
  readonly pages: Int32Array
  readonly bytes: Uint8Array
  /** The same memory in larger units. */
  readonly halves: Uint16Array
  readonly words: Int32Array
}
