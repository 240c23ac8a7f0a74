/**
 * Captures vectors.bin.gz on an x86 host that runs 32-bit code: node test/cpu/native/capture.mjs [--check]. With
 * --check nothing is written; the fresh capture must be the committed file. With --campaign SEED COUNT so many other
 * instances a row are captured and compared with the model, and nothing is written.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { differences, Model } from './compare.ts'
import { explain } from './explained.ts'
import { CAPTURED, generate, rowText, type Generated } from './generate.ts'
import { CODE, emptyTags, READ_ONLY, type Instance, type Result } from './layout.ts'
import { descriptorOf, LOCAL } from './segments.ts'
import { Packer, readVectors, type Captured } from './vectors.ts'

/** Layout of harness.c. */
const INSTANCE_BYTES = 108
const BATCH = 200_000

const isOurs = (address: number) => address >>> 0 >= CODE && address >>> 0 < READ_ONLY + 0x1000

/** Instances a row of the committed file, in flat and in other segments. */
const FLAT_PER_ROW = 500
const SEGMENTED_PER_ROW = 280

export function capture(here: string, check: boolean): void {
  const list = [...generate(FLAT_PER_ROW, SEGMENTED_PER_ROW)]
  const packer = new Packer()
  execute(here, list).forEach((result, k) => {
    const { row, instance, given } = list[k]
    if (result === null) packer.skip(CAPTURED.indexOf(row))
    else packer.add(CAPTURED.indexOf(row), instance, given, result)
  })
  pack(here, check, packer, list.length)
}

/** Other instances, not kept: captured and compared with the model at once. Prints what differs and cannot be explained. */
export function campaign(here: string, seed: number, perRow: number): void {
  const model = new Model()
  let compared = 0
  let wrong = 0
  const rows = new Map<string, string[]>()
  const batch: Generated[] = []
  const flush = () => {
    execute(here, batch).forEach((real, k) => {
      if (real === null) return
      const { row, instance } = batch[k]
      compared++
      const { after, op } = model.run(instance)
      const found = differences(instance, real, after, op)
      if (found.length === 0 || explain(rowText(row), instance, real, after) !== null) return
      wrong++
      rows.set(rowText(row), [...(rows.get(rowText(row)) ?? []), `${describeInstance(instance)}: ${found.join('; ')}`])
    })
    batch.length = 0
  }
  for (const one of generate(perRow >> 1, perRow - (perRow >> 1), seed)) {
    batch.push(one)
    if (batch.length === BATCH) flush()
  }
  flush()
  for (const [row, list] of rows) console.log(`${row}: ${list.length}\n   ${list.slice(0, 3).join('\n   ')}`)
  console.log(`seed ${seed}: ${compared} instances of ${CAPTURED.length} rows, ${wrong} wrong`)
  process.exitCode = wrong === 0 ? 0 : 1
}

/** Results on this host; null: it showed nothing, as it depends on the capturing process. */
function execute(here: string, list: readonly Generated[]): (Result | null)[] {
  const input = Buffer.alloc(list.length * INSTANCE_BYTES)
  list.forEach(({ instance }, k) => {
    const at = k * INSTANCE_BYTES
    input[at] = instance.code.length
    input.set(instance.code, at + 1)
    input.writeUInt32LE(instance.place, at + 16)
    input.writeUInt32LE(instance.eip, at + 20)
    input.writeUInt32LE(instance.eflags, at + 24)
    instance.registers.forEach((value, r) => input.writeUInt32LE(value, at + 28 + 4 * r))
    instance.selectors.forEach((value, s) => input.writeUInt16LE(value, at + 60 + 2 * s))
    input.writeUInt16LE(instance.planted.length, at + 72)
    input.writeUInt16LE(instance.plantedAt, at + 74)
    input.set(instance.planted, at + 76)
    const { cw, sw, tw } = instance.fpu
    ;[cw, sw, tw].forEach((value, k) => input.writeUInt16LE(value, at + 100 + 2 * k))
  })
  const work = mkdtempSync(join(tmpdir(), 'xmcheck-capture-'))
  execFileSync('gcc', ['-m32', '-O1', '-Wall', '-fno-stack-protector', '-Wl,-z,now', '-o', join(work, 'harness'), join(here, 'harness.c')])
  const table = LOCAL.map((segment) => descriptorOf(segment).reduceRight((text, word) => text + (word >>> 0).toString(16).padStart(8, '0'), ''))
  const native = (from: number, to: number): (Result | null)[] => {
    const part = input.subarray(from * INSTANCE_BYTES, to * INSTANCE_BYTES)
    // Twice, in differently laid out processes: what differs (a jump into the process' own code) shows nothing.
    const runs = [0, 1].map(() => spawnSync(join(work, 'harness'), table, { input: part, maxBuffer: 1 << 30 }))
    if (runs.every(({ status }) => status === 0)) {
      const [first, second] = runs.map(({ stdout }) => results(stdout, to - from))
      return first.map((result, k) => (JSON.stringify(result) === JSON.stringify(second[k]) ? result : null))
    }
    // So does what kills the process.
    if (to - from === 1) {
      console.log(`the harness did not survive ${describeInstance(list[from].instance)}`)
      return [null]
    }
    const middle = (from + to) >> 1
    return [...native(from, middle), ...native(middle, to)]
  }
  const all = native(0, list.length)
  rmSync(work, { recursive: true })
  return all
}

function results(output: Buffer, count: number): Result[] {
  let at = 0
  const word = () => output.readUInt32LE((at += 4) - 4)
  const half = () => output.readUInt16LE((at += 2) - 2)
  return Array.from({ length: count }, () => {
    const [trap, error, cr2, eip, eflags] = [word(), word(), word(), word(), word()]
    const registers = Array.from({ length: 8 }, word)
    const selectors = Array.from({ length: 6 }, half)
    const [cw, sw, tw] = [half(), half(), half(), half()]
    const stack = word()
    const memory = Array.from({ length: word() }, (): [number, number] => [output.readUInt16LE((at += 3) - 3), output[at - 1]])
    // Whether a jump into the blue met a page of the capturing process is not the instruction's doing.
    const foreign = trap === 14 && cr2 === eip && !isOurs(cr2)
    return { trap, error: trap === 3 ? 0 : foreign ? error & ~1 : error, cr2, eip, eflags, registers, selectors, fpu: { cw, sw, tw: emptyTags(tw) }, stack, memory }
  })
}

const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ')
function describeInstance({ code, eip, eflags, registers, selectors, planted, plantedAt }: Instance): string {
  const numbers = (list: readonly number[]) => list.map((value) => value.toString(16)).join(' ')
  const plant = planted.length === 0 ? '' : ` plant ${plantedAt.toString(16)}: ${hex(planted)}`
  return `${hex(code)} at ${eip.toString(16)} flags ${eflags.toString(16)} registers ${numbers(registers)} selectors ${numbers(selectors)}${plant}`
}
function pack(here: string, check: boolean, packer: Packer, count: number): void {
  const harness = createHash('sha256').update(readFileSync(join(here, 'harness.c'))).digest('hex')
  const rows = CAPTURED.map(rowText)
  const packed = packer.pack({ cpu: cpus()[0].model, harness, count, rows })
  const path = join(here, 'vectors.bin.gz')
  if (!check) {
    writeFileSync(path, gzipSync(packed, { level: 9 }))
    console.log(`${count} vectors of ${CAPTURED.length} rows`)
    return
  }
  const committed = readVectors(gunzipSync(readFileSync(path)))
  const fresh = readVectors(packed)
  const old = committed.vectors()
  let different = 0
  const text = (vector: Captured) => JSON.stringify({ ...vector, before: { ...vector.before, code: hex(vector.before.code), planted: hex(vector.before.planted) } })
  for (const vector of fresh.vectors()) if (text(vector) !== text(old.next().value as Captured)) different++
  console.log(`${fresh.header.count} captured on ${fresh.header.cpu}; committed: ${committed.header.count} of ${committed.header.cpu}; ${different} differ`)
  process.exitCode = different === 0 && committed.header.count === fresh.header.count ? 0 : 1
}
