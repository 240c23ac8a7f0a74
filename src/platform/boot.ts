/** What is booted: a ROM at the reset vector, a Multiboot 1 kernel with modules, or a flat image. */
import type { CpuClass } from '../cpu/classes.ts'
import { InputError } from '../guest/inputError.ts'
import { writeBios } from './bios.ts'
import type { BoardMemory } from './boardMemory.ts'
import { flatRegisters, multibootRegisters, resetRegisters } from './reset.ts'
import { BASE_MEMORY_BYTES, memoryMap, writeBiosData, writeTables } from './tables.ts'

export interface BootFile {
  readonly name: string
  readonly bytes: Uint8Array
}

export interface BootOptions {
  readonly image: BootFile
  readonly rom: boolean
  readonly vcpus: number
  readonly commandLine: string
  readonly modules: readonly BootFile[]
  readonly asciiPort: number
}

/** Where a flat image without a header is loaded, and entered in real mode: as a PC boots a sector. */
export const FLAT_START = 0x7c00
const MAGIC = 0x1badb002
const HEADER_BYTES = 8192
const MODULES_ALIGN = 4096

/** Loads the image; the registers of the first vCPU. @throws InputError */
export function boot(memory: BoardMemory, options: BootOptions, cpu: CpuClass): Int32Array {
  const { image } = options
  if (options.rom) return bootRom(memory, image, cpu)
  const header = findHeader(image.bytes)
  if (header >= 0) return bootMultiboot(memory, options, header, cpu)
  const foreign = FOREIGN.find(({ at, text }) => [...text].every((letter, k) => image.bytes[at + k] === letter.charCodeAt(0)))
  if (foreign !== undefined) throw new InputError(image.name, foreign.message)
  if (hasMultiboot2(image.bytes)) throw new InputError(image.name, 'has a Multiboot 2 header', 'only Multiboot 1 is understood: give it a header of that kind too')
  if (isElf(image.bytes)) throw new InputError(image.name, 'is an ELF file without a Multiboot header', 'add one in its first 8 KB, or use xmcheck check for object files')
  if (options.modules.length > 0 || options.commandLine !== '') throw new InputError(image.name, 'has no Multiboot header', 'a command line and modules need one')
  if (FLAT_START + image.bytes.length > Math.min(memory.ram.length, 0xa0000)) throw new InputError(image.name, `${image.bytes.length} bytes do not fit below 640 KB`, 'give it a Multiboot header, or --rom')
  if (image.bytes.length === 0) throw new InputError(image.name, 'is empty')
  writeBios(memory, options.asciiPort)
  writeBiosData(memory)
  memory.ram.set(image.bytes, FLAT_START)
  return flatRegisters(cpu, FLAT_START)
}

function bootRom(memory: BoardMemory, image: BootFile, cpu: CpuClass): Int32Array {
  const size = image.bytes.length
  if (size !== 0x10000 && size !== 0x20000) throw new InputError(image.name, `a ROM of ${size} bytes`, 'ROMs have 64 KB (65536) or 128 KB (131072): the reset vector is in the last 16 bytes')
  memory.addRom(2 ** 32 - size, image.bytes)
  memory.addRom(0x100000 - size, image.bytes)
  return resetRegisters(cpu, true)
}

/** What is no flat image, though it has no header that is understood either. */
const FOREIGN: readonly { readonly at: number; readonly text: string; readonly message: string }[] = [
  { at: 0x202, text: 'HdrS', message: 'is a Linux kernel (bzImage), which needs a boot loader and disks' },
  { at: 0, text: 'MZ', message: 'is an EFI or DOS program' },
]
const MULTIBOOT2_MAGIC = 0xe85250d6
const MULTIBOOT2_BYTES = 32768

function hasMultiboot2(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = 0; at + 16 <= Math.min(bytes.length, MULTIBOOT2_BYTES); at += 8)
    if (view.getUint32(at, true) === MULTIBOOT2_MAGIC && ((MULTIBOOT2_MAGIC + view.getUint32(at + 4, true) + view.getUint32(at + 8, true) + view.getUint32(at + 12, true)) | 0) === 0) return true
  return false
}

const isElf = (bytes: Uint8Array) => bytes.length >= 52 && bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46

function findHeader(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = 0; at + 12 <= Math.min(bytes.length, HEADER_BYTES); at += 4) {
    if (view.getUint32(at, true) !== MAGIC) continue
    if (((view.getUint32(at, true) + view.getUint32(at + 4, true) + view.getUint32(at + 8, true)) | 0) === 0) return at
  }
  return -1
}

function bootMultiboot(memory: BoardMemory, options: BootOptions, header: number, cpu: CpuClass): Int32Array {
  const { image } = options
  const view = new DataView(image.bytes.buffer, image.bytes.byteOffset, image.bytes.byteLength)
  const flags = view.getUint32(header + 4, true)
  const unsupported = flags & 0xffff & ~7
  if (unsupported !== 0) throw new InputError(image.name, `its Multiboot header asks for features 0x${unsupported.toString(16)}`, 'only module alignment, memory and video information are known')
  // Where the kernel lies over the tables, the kernel is what counts.
  writeTables(memory, options.vcpus)
  const { entry, end } = (flags & 0x10000) !== 0 ? loadByHeader(memory, image, view, header) : loadElf(memory, image, view)
  return multibootRegisters(cpu, entry, writeInformation(memory, options, end))
}

function place(memory: BoardMemory, name: string, address: number, bytes: Uint8Array, sizeBytes: number): void {
  if (address + sizeBytes > memory.ram.length) throw new InputError(name, `needs memory up to 0x${(address + sizeBytes).toString(16)}`, `there are ${memory.ram.length >> 20} MB; --memory-size gives more`)
  memory.ram.fill(0, address, address + sizeBytes)
  memory.ram.set(bytes, address)
}

/** The address fields of the header ("a.out kludge"). */
function loadByHeader(memory: BoardMemory, image: BootFile, view: DataView, header: number): { entry: number; end: number } {
  if (header + 32 > image.bytes.length) throw new InputError(image.name, 'its Multiboot header is cut short')
  const field = (k: number) => view.getUint32(header + 12 + 4 * k, true)
  const [headerAddress, loadAddress, loadEnd, bssEnd, entry] = [0, 1, 2, 3, 4].map(field)
  const from = header - (headerAddress - loadAddress)
  const length = loadEnd === 0 ? image.bytes.length - from : loadEnd - loadAddress
  if (from < 0 || length < 0 || from + length > image.bytes.length) throw new InputError(image.name, 'the load addresses of its Multiboot header reach outside the file')
  const size = Math.max(length, bssEnd === 0 ? 0 : bssEnd - loadAddress)
  place(memory, image.name, loadAddress, image.bytes.subarray(from, from + length), size)
  return { entry, end: loadAddress + size }
}

function loadElf(memory: BoardMemory, image: BootFile, view: DataView): { entry: number; end: number } {
  const { name, bytes } = image
  if (!isElf(bytes)) throw new InputError(name, 'its Multiboot header has no load addresses, and it is not an ELF file')
  if (bytes[4] !== 1 || bytes[5] !== 1) throw new InputError(name, 'is not a 32-bit little-endian ELF file', 'link it with -m elf_i386')
  if (view.getUint16(18, true) !== 3) throw new InputError(name, `is for ELF machine ${view.getUint16(18, true)}, not the i386`)
  const [entry, table] = [view.getUint32(24, true), view.getUint32(28, true)]
  const [size, count] = [view.getUint16(42, true), view.getUint16(44, true)]
  if (count === 0 || size < 32 || table + size * count > bytes.length) throw new InputError(name, 'has no program headers', 'link it (ld), do not pass an object file')
  let end = 0
  let physicalEntry = entry
  for (let k = 0; k < count; k++) {
    const at = table + k * size
    if (view.getUint32(at, true) !== 1) continue
    const [offset, linear, physical, fileSize, memorySize] = [4, 8, 12, 16, 20].map((field) => view.getUint32(at + field, true))
    if (memorySize === 0) continue
    if (offset + fileSize > bytes.length || fileSize > memorySize) throw new InputError(name, `segment ${k} reaches outside the file`)
    place(memory, name, physical, bytes.subarray(offset, offset + fileSize), memorySize)
    if (entry >= linear && entry < linear + memorySize) physicalEntry = entry - linear + physical
    end = Math.max(end, physical + memorySize)
  }
  if (end === 0) throw new InputError(name, 'has nothing to load')
  return { entry: physicalEntry, end }
}

/** The Multiboot information structure, its strings and the modules, behind the kernel. */
function writeInformation(memory: BoardMemory, options: BootOptions, kernelEnd: number): number {
  const align = (value: number, unit: number) => Math.ceil(value / unit) * unit
  let at = align(kernelEnd, MODULES_ALIGN)
  const modules = options.modules.map((module) => {
    place(memory, module.name, at, module.bytes, module.bytes.length)
    const range = { start: at, end: at + module.bytes.length, name: module.name }
    at = align(range.end, MODULES_ALIGN)
    return range
  })
  if (at + 2 * 4096 > memory.ram.length) throw new InputError(options.image.name, 'the kernel and its modules leave no memory for the boot information', '--memory-size gives more')
  const view = new DataView(memory.ram.buffer)
  const information = at
  let free = information + 128
  const text = (value: string) => {
    const start = free
    const bytes = new TextEncoder().encode(value)
    if (start + bytes.length + 1 > memory.ram.length) throw new InputError(options.image.name, 'the command line does not fit into memory')
    memory.ram.set(bytes, start)
    memory.ram[start + bytes.length] = 0
    free = align(start + bytes.length + 1, 4)
    return start
  }
  const word = (offset: number, value: number) => view.setUint32(information + offset, value, true)
  word(0, 0x1 | 0x4 | 0x8 | 0x40 | 0x200)
  word(4, BASE_MEMORY_BYTES >> 10)
  word(8, (memory.ram.length - 0x100000) >> 10)
  word(16, text(options.commandLine === '' ? options.image.name : `${options.image.name} ${options.commandLine}`))
  word(64, text('xmcheck'))
  const names = modules.map((module) => text(module.name))
  word(20, modules.length)
  word(24, free)
  modules.forEach((module, k) => {
    for (const [field, value] of [module.start, module.end, names[k], 0].entries()) view.setUint32(free + k * 16 + field * 4, value, true)
  })
  free += modules.length * 16
  const map = memoryMap(memory.ram.length)
  word(44, map.length * 24)
  word(48, free)
  map.forEach(([start, length, type], k) => {
    for (const [field, value] of [20, start, 0, length, 0, type].entries()) view.setUint32(free + k * 24 + field * 4, value, true)
  })
  return information
}
