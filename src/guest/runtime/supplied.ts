/** The building blocks of include/ for programs in the tool's own assembly language: linked to fixed addresses, each object where a name of it is used. */
import { AddressSpace } from '../addressSpace.ts'
import { SHF_EXECINSTR } from '../elf/format.ts'
import { link, type LinkedProgram } from '../elf/link.ts'
import { decodeBase64 } from './base64.ts'
import { BLOCK_OBJECTS } from './blockObjects.ts'

/** Behind programs of 2 MB, and in the low 4 MB, which programs with paging map as they are. */
const START = 0x300000

export class SuppliedBlocks {
  readonly #programs = new Map<string, LinkedProgram>()
  readonly #space = new AddressSpace()

  constructor() {
    this.#space.reserve(0, START, 'the program')
  }

  get programs(): readonly LinkedProgram[] {
    return [...this.#programs.values()]
  }

  /** Address of a function or variable of the library. */
  lookUp(name: string): number | undefined {
    const found = BLOCK_OBJECTS.find(({ defines }) => defines.includes(name))
    if (found === undefined) return undefined
    const linked = this.#programs.get(found.name) ?? link([{ name: `(supplied) ${found.name}`, bytes: decodeBase64(found.object) }], [], [], this.#space)
    this.#programs.set(found.name, linked)
    return linked.addressOf(name) ?? undefined
  }

  isCode(address: number): boolean {
    return this.programs.some(({ sections }) => sections.some((one) => (one.flags & SHF_EXECINSTR) !== 0 && address >= one.address && address < one.address + one.sizeBytes))
  }
}
