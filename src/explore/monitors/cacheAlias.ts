/**
 * What is accessed past the caches (memory types UC, UC- and WC) is in no cache: `cache-alias`. A cached line would be written back over
 * what was stored, or be read in its place; the manual leaves undefined what mixed accesses do (SDM vol. 3A 13.12.4).
 *
 * A vCPU's caches may hold a line that it accesses through them, and, as it may fetch ahead, any line of a page for which it could use a
 * cacheable translation, until WBINVD there or CLFLUSH anywhere. While it still could, no flush helps. So what has to be kept is who could,
 * before translations were taken away, and has not flushed since.
 */
import type { Machine } from '../../smp/machine.ts'
import type { Monitor } from '../../smp/monitor.ts'
import type { Sharing } from '../../smp/sharing.ts'

export class CacheAlias implements Monitor {
  readonly name = 'cache-alias'
  #machine!: Machine
  /** Of each line that is accessed uncached: the vCPUs, as bits, whose caches may hold it. */
  #ghosts = 0
  #lines: readonly number[] = []

  ghostWords(_vcpus: number, sharing: Sharing): number {
    return sharing.uncachedLines.length
  }

  attach(machine: Machine, ghosts: number): void {
    this.#machine = machine
    this.#ghosts = ghosts
    this.#lines = [...machine.sharing.uncachedLines]
  }

  isIdle(): boolean {
    return this.#lines.length === 0
  }

  onAccess(vcpu: number, physical: number, sizeBytes: number, write: boolean): void {
    this.#access(vcpu, physical, sizeBytes, write ? 'writes' : 'reads', this.#machine.cpus[vcpu].uncached)
  }

  /** Where memory is what counts: what an older store changes may come between a store and this. */
  onDrain(vcpu: number, physical: number, sizeBytes: number, uncached: boolean): void {
    this.#access(vcpu, physical, sizeBytes, 'has a buffered store reach', uncached)
  }

  #access(vcpu: number, physical: number, sizeBytes: number, verb: string, uncached: boolean): void {
    for (const k of this.#touched(physical, sizeBytes)) {
      if (!uncached) this.#hold(k, vcpu)
      else for (let u = 0; u < this.#machine.cpus.length; u++) this.#judge(vcpu, physical, verb, u, k)
    }
  }

  beforeInvalidation(vcpu: number): void {
    this.#lines.forEach((line, k) => {
      if (this.#fillsThrough(vcpu, line) !== null) this.#hold(k, vcpu)
    })
  }

  onCacheFlush(vcpu: number, physical: number | null): void {
    const { store } = this.#machine
    if (physical !== null) for (const k of this.#touched(physical, 1)) store.set(this.#ghosts + k, 0)
    else this.#lines.forEach((_, k) => store.set(this.#ghosts + k, store.w[this.#ghosts + k] & ~(1 << vcpu)))
  }

  #judge(vcpu: number, physical: number, verb: string, other: number, k: number): void {
    const held = (this.#machine.store.w[this.#ghosts + k] & (1 << other)) !== 0
    const way = this.#fillsThrough(other, this.#lines[k])
    if (!held && way === null) return
    const whose = other === vcpu ? 'its own cache' : `the cache of vCPU ${other}`
    const why = way !== null ? `${way}, can be used there` : 'it has not been flushed since a cacheable translation of the page could be used there'
    this.#machine.violate('cache-alias', vcpu, `${verb} ${this.#machine.symbolize(physical)} uncached, which ${whose} may hold: ${why}`)
  }

  /** The translation, for people, by which `vcpu` could fetch the line now; null: none. */
  #fillsThrough(vcpu: number, line: number): string | null {
    const way = this.#machine.translations?.cachesThrough(vcpu, line & ~0xfff) ?? null
    return way === null ? null : `a ${way.stale ? 'stale ' : ''}cacheable translation of the page, at linear address 0x${(way.page >>> 0).toString(16)}`
  }

  #hold(k: number, vcpu: number): void {
    const { store } = this.#machine
    store.set(this.#ghosts + k, store.w[this.#ghosts + k] | (1 << vcpu))
  }

  /** Numbers of the lines that an access touches. */
  #touched(physical: number, sizeBytes: number): number[] {
    const { lineBytes } = this.#machine.model.cpu
    const from = physical >>> 0
    return this.#lines.flatMap((line, k) => (line < from + sizeBytes && from < line + lineBytes ? [k] : []))
  }
}
