/** xorshift32 after a splitmix step, so that small seeds differ at once: 32-bit numbers, the same for the same seed. */
export function generator(seed: number): () => number {
  let x = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) | 1
  return () => {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    return x >>> 0
  }
}
