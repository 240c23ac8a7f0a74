import type { MachineImage } from '../../smp/image.ts'
import type { Monitor } from '../../smp/monitor.ts'
import { Beliefs } from './beliefs.ts'
import { CacheAlias } from './cacheAlias.ts'
import { CallCount } from './callCount.ts'
import { Construction } from './construction.ts'
import { DirtyBits } from './dirtyBits.ts'
import { HELD_WORDS, HeldWords } from './heldWords.ts'
import { LastAccess } from './lastAccess.ts'
import { Lifetime } from './lifetime.ts'
import { LockOrder } from './lockOrder.ts'
import { Modes } from './modes.ts'
import { MutualExclusion } from './mutualExclusion.ts'
import { OwnMemory } from './ownMemory.ts'
import { PatchSites } from './patchSite.ts'
import { SavedEips } from './savedEip.ts'
import { Unmapped } from './unmapped.ts'

/** Every monitor there is, as `xmcheck list` shows it, and how it is made for an image. */
export const MONITORS: readonly { readonly name: string; readonly doc: string; readonly make: (image: MachineImage) => Monitor }[] = [
  { name: 'patch-site', doc: 'illegal-target, torn-instruction: XM_SITE leads to its targets only', make: (image) => new PatchSites(image) },
  { name: 'saved-eip', doc: 'saved-eip: no site is rewritten, nor code freed, into which somebody will return', make: (image) => new SavedEips(image) },
  { name: 'call-count', doc: 'lost-call, double-call: XM_CALLS, one call a pass over the site', make: (image) => new CallCount(image) },
  { name: 'construction', doc: 'under-construction: XM_BUILDING code is not executed until XM_BUILT', make: () => new Construction() },
  { name: 'mutual-exclusion', doc: 'XM_ENTER and XM_LEAVE: one owner at a time', make: (image) => new MutualExclusion(image) },
  { name: 'fifo-order', doc: 'XM_ARRIVE and XM_QUEUED: who was in the queue before another came enters before it', make: (image) => new LockOrder(image) },
  { name: 'last-access', doc: 'access-after-release: XM_RELEASE is followed by no access once another has entered', make: (image) => new LastAccess(image) },
  { name: 'lifetime', doc: 'use-after-free, double-free: XM_FREE and XM_ALLOC; no page table is freed that somebody may walk', make: () => new Lifetime() },
  { name: 'pending-write', doc: 'XM_PENDING words, which have an update queued, are not accessed until XM_SETTLED', make: () => new HeldWords(HELD_WORDS.pending) },
  { name: 'lent-words', doc: 'argument-changed: XM_LENT words, which a queued call refers to, are neither written nor freed until XM_SETTLED', make: () => new HeldWords(HELD_WORDS.lent) },
  { name: 'unfilled-slot', doc: 'XM_UNFILLED words are not read until XM_SETTLED', make: () => new HeldWords(HELD_WORDS.unfilled) },
  { name: 'modes', doc: 'mode-entered-twice, mode-unpaired, forbidden-call: XM_MODE_ON, XM_MODE_OFF, XM_FORBIDS', make: (image) => new Modes(image) },
  { name: 'own-memory', doc: 'foreign-access: XM_OWN memory is accessed by one vCPU', make: (image) => new OwnMemory(image) },
  { name: 'beliefs', doc: 'belief: XM_BELIEF words are what a register is whenever they are loaded', make: (image) => new Beliefs(image) },
  { name: 'unmapped', doc: 'stale-translation: XM_UNMAPPED pages are not accessed through a cached translation', make: () => new Unmapped() },
  { name: 'dirty-bits', doc: 'lost-dirty: XM_DIRTY_BITS of page-table entries are not overwritten by who has not read them', make: (image) => new DirtyBits(image) },
  { name: 'cache-alias', doc: 'cache-alias: what is accessed uncached (PCD, PWT, PAT) is held by no cache', make: () => new CacheAlias() },
]

/** The monitors that judge every run of `image`. */
export function monitorsFor(image: MachineImage): Monitor[] {
  return MONITORS.map(({ make }) => make(image))
}
