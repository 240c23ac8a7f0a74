/** The one module that touches files. */
import { accessSync, constants, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { UsageError } from './errors.ts'

/** Largest input that is read, in bytes. */
const FILE_BYTES_MAX = 64 << 20

const WHY_NOT: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or directory', EISDIR: 'it is a directory', ENOTDIR: 'a part of the path is no directory', EACCES: 'permission denied', ENOSPC: 'no space left',
} // prettier-ignore
function whyNot(error: unknown): string {
  const { code = 'unknown error' } = error as NodeJS.ErrnoException
  return WHY_NOT[code] ?? code
}

/** @throws UsageError when the file cannot be read or is too large */
export function readFile(path: string, bytesMax: number = FILE_BYTES_MAX): Uint8Array {
  try {
    const { size } = statSync(path)
    if (size > bytesMax) throw new UsageError(`${path}: ${size} bytes; at most ${bytesMax} are read`)
    return new Uint8Array(readFileSync(path))
  } catch (error) {
    if (error instanceof UsageError) throw error
    throw new UsageError(`${path}: cannot be read (${whyNot(error)})`)
  }
}

/** Text of a source file, or null: sources only decorate reports. */
export function readSource(path: string): string | null {
  try {
    return statSync(path).size > 1 << 20 ? null : readFileSync(path, 'utf8')
  } catch {
    return null
  }
}

/** Lists in lists at the most. */
const LIST_DEPTH_MAX = 16

/**
 * The files that a command-line path stands for: itself, those below a directory that end in `extension`, or those of a
 * list, one path a line, relative to the list: `@FILE`, or a file whose own name begins with @ (herd's `@all`; lists may
 * name lists). @throws UsageError
 */
export function filesBelow(path: string, extension: string, depth = 0): string[] {
  if (basename(path).startsWith('@')) {
    if (depth > LIST_DEPTH_MAX) throw new UsageError(`${path}: lists are nested deeper than ${LIST_DEPTH_MAX} (does one name itself?)`)
    const list = existsSync(path) || !path.startsWith('@') ? path : path.slice(1)
    const lines = new TextDecoder().decode(readFile(list)).split('\n').map((line) => line.trim())
    const folder = dirname(list)
    return lines.filter((line) => line !== '' && !line.startsWith('#')).flatMap((line) => filesBelow(join(folder, line), extension, depth + 1))
  }
  try {
    if (!statSync(path).isDirectory()) return [path]
    const names = readdirSync(path, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith(extension))
    return names.sort().map((name) => join(path, name))
  } catch {
    // Whoever reads it says why it cannot be read: one missing file does not stop the others.
    return [path]
  }
}

/** With those above it. `recursive` of Node's own tries for ever where a file system such as /proc takes no directories. */
function makeDirectory(path: string): void {
  if (existsSync(path)) return
  makeDirectory(dirname(path))
  try {
    mkdirSync(path)
  } catch (error) {
    // Another process was faster.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

/** @throws UsageError where `writeFile` could not write */
export function checkWritable(path: string): void {
  try {
    makeDirectory(dirname(path))
    if (!existsSync(path)) accessSync(dirname(path), constants.W_OK)
    else if (statSync(path).isDirectory()) throw new UsageError(`${path}: is a directory`)
    else accessSync(path, constants.W_OK)
  } catch (error) {
    if (error instanceof UsageError) throw error
    throw new UsageError(`${path}: cannot be written (${whyNot(error)})`)
  }
}

export function writeFile(path: string, bytes: Uint8Array): void {
  try {
    makeDirectory(dirname(path))
    writeFileSync(path, bytes)
  } catch (error) {
    throw new UsageError(`${path}: cannot be written (${whyNot(error)})`)
  }
}

export function fileExists(path: string): boolean {
  return existsSync(path)
}

/** Whoever reads the file, at any time and after any crash, finds the old contents or the new. */
export function replaceFile(path: string, bytes: Uint8Array): void {
  const next = `${path}.new`
  writeFile(next, bytes)
  try {
    renameSync(next, path)
  } catch (error) {
    throw new UsageError(`${path}: cannot be written (${whyNot(error)})`)
  }
}

/** A file of the package itself: the bundle stands one level below its root. */
export function packageFile(...path: string[]): string {
  return join(fileURLToPath(new URL('..', import.meta.url)), ...path)
}
