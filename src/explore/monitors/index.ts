import type { MachineImage } from '../../smp/image.ts'
import type { Monitor } from '../../smp/monitor.ts'
import { MutualExclusion } from './mutualExclusion.ts'
import { PatchSites } from './patchSite.ts'

/** The monitors that judge every run of `image`. */
export function monitorsFor(image: MachineImage): Monitor[] {
  return [new PatchSites(image), new MutualExclusion(image)]
}
