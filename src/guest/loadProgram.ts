/** A program as users give it: ELF objects, linked together, or one text in the assembly language of `asm/`. */
import type { MachineImage } from '../smp/image.ts'
import { assembleImage } from './asm/index.ts'
import type { ObjectFile } from './elf/link.ts'
import { InputError } from './inputError.ts'
import { formatLinkOptions } from './linkOptions.ts'
import { loadObjects, type LoadOptions } from './loadObjects.ts'

/**
 * The machine that the files declare; a file whose name ends in `.asm` is a text.
 * @throws InputError where a file or an option cannot be used
 */
export function loadProgram(inputs: readonly ObjectFile[], options: LoadOptions = {}): MachineImage {
  const source = inputs.find(({ name }) => name.endsWith('.asm'))
  if (source === undefined) return loadObjects(inputs, options)
  if (inputs.length > 1)
    throw new InputError(source.name, 'is a program of its own: it cannot be linked', 'make an object of it with nasm -f elf32 and include/xmcheck.inc')
  const [option] = formatLinkOptions(options)
  if (option !== undefined) throw new InputError(source.name, `${option} is for objects`, 'write it in the text: .vcpu NAME, section NAME start=ADDRESS')
  const { title } = options
  return assembleImage(new TextDecoder().decode(source.bytes), { file: source.name, ...(title === undefined ? {} : { title }) })
}
