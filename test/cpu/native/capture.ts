/**
 * Captures vectors.bin.gz on an x86 host that runs 32-bit code: node test/cpu/native/capture.mjs [--check]. With
 * --check nothing is written; the fresh capture must be the committed file.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { CAPTURED, generate } from './generate.ts'
import { CODE, READ_ONLY, type Result } from './layout.ts'
import { Packer, readVectors, type Captured } from './vectors.ts'

const PER_ROW = 780
const INSTANCE_BYTES = 64

const isOurs = (address: number) => address >>> 0 >= CODE && address >>> 0 < READ_ONLY + 0x1000

export function capture(here: string, check: boolean): void {
  const list = [...generate(PER_ROW)]
  const input = Buffer.alloc(list.length * INSTANCE_BYTES)
  list.forEach(({ instance }, k) => {
    const at = k * INSTANCE_BYTES
    input[at] = instance.code.length
    input.set(instance.code, at + 1)
    input.writeUInt32LE(instance.eip, at + 16)
    input.writeUInt32LE(instance.eflags, at + 20)
    instance.registers.forEach((value, r) => input.writeUInt32LE(value, at + 24 + 4 * r))
  })
  const work = mkdtempSync(join(tmpdir(), 'xmcheck-capture-'))
  execFileSync('gcc', ['-m32', '-O1', '-Wall', '-fno-stack-protector', '-o', join(work, 'harness'), join(here, 'harness.c')])
  // Twice, in differently laid out processes: what differs (a jump into the process' own code) shows nothing.
  const [first, second] = [0, 1].map(() => results(execFileSync(join(work, 'harness'), { input, maxBuffer: 1 << 30 }), list.length))
  rmSync(work, { recursive: true })

  const packer = new Packer()
  list.forEach(({ row, instance, overrides }, k) => {
    if (JSON.stringify(first[k]) === JSON.stringify(second[k])) packer.add(CAPTURED.indexOf(row), instance, overrides, first[k])
    else packer.skip(CAPTURED.indexOf(row))
  })
  pack(here, check, packer, list.length)
}

function results(output: Buffer, count: number): Result[] {
  let at = 0
  const word = () => output.readUInt32LE((at += 4) - 4)
  return Array.from({ length: count }, () => {
    const [trap, error, cr2, eip, eflags] = [word(), word(), word(), word(), word()]
    const registers = Array.from({ length: 8 }, word)
    const memory = Array.from({ length: word() }, (): [number, number] => [output.readUInt16LE((at += 3) - 3), output[at - 1]])
    // Whether a jump into the blue met a page of the capturing process is not the instruction's doing.
    const foreign = trap === 14 && cr2 === eip && !isOurs(cr2)
    return { trap, error: trap === 3 ? 0 : foreign ? error & ~1 : error, cr2, eip, eflags, registers, memory }
  })
}

function pack(here: string, check: boolean, packer: Packer, count: number): void {
  const harness = createHash('sha256').update(readFileSync(join(here, 'harness.c'))).digest('hex')
  const rows = CAPTURED.map((row) => `${row.mnemonic} ${row.opcode.map((byte) => byte.toString(16).padStart(2, '0')).join('')} ${row.digit >= 0 ? row.digit : '-'} ${row.operands.join(',')}`)
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
  const text = (vector: Captured) => JSON.stringify({ ...vector, before: { ...vector.before, code: [...vector.before.code] } })
  for (const vector of fresh.vectors()) if (text(vector) !== text(old.next().value as Captured)) different++
  console.log(`${fresh.header.count} captured on ${fresh.header.cpu}; committed: ${committed.header.count} of ${committed.header.cpu}; ${different} differ`)
  process.exitCode = different === 0 && committed.header.count === fresh.header.count ? 0 : 1
}
