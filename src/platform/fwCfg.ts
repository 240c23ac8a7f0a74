import type { PortDevice } from './portDevice.ts'

/** QEMU's fw_cfg by port (docs/specs/fw_cfg): signature, RAM size and the number of vCPUs, which test kernels ask for. */
export class FirmwareConfig implements PortDevice {
  readonly #items: ReadonlyMap<number, Uint8Array>
  #item: Uint8Array = new Uint8Array(0)
  #at = 0

  constructor(vcpus: number, memoryBytes: number) {
    const number = (value: number, bytes: number) => Uint8Array.from({ length: bytes }, (_, k) => (k < 4 ? (value >>> (8 * k)) & 0xff : 0))
    this.#items = new Map([
      [0x00, Uint8Array.from('QEMU', (letter) => letter.charCodeAt(0))],
      [0x01, number(1, 4)],
      [0x03, number(memoryBytes, 8)],
      [0x05, number(vcpus, 2)],
      [0x0f, number(vcpus, 2)],
    ])
  }
  read(port: number): number | null {
    if (port !== 0x511) return port === 0x510 ? 0 : null
    return this.#at < this.#item.length ? this.#item[this.#at++] : 0
  }
  write(port: number, _sizeBytes: number, value: number): boolean {
    if (port !== 0x510) return port === 0x511
    this.#item = this.#items.get(value & 0xffff) ?? new Uint8Array(0)
    this.#at = 0
    return true
  }
}
