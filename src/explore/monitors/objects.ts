/** Names of what marks are about. */
import type { MachineImage } from '../../smp/image.ts'
import type { Machine } from '../../smp/machine.ts'

/** The name of the object at `address` (XM_OBJECT), or of the symbol there. */
export function nameOfObject(machine: Machine, image: MachineImage, address: number): string {
  return image.objects.find((one) => one.address >>> 0 === address >>> 0)?.name ?? machine.symbolize(address)
}
