/** Timelines with one column a vCPU. */
import type { TimelineLine } from './timeline.ts'

/** Narrowest column that can be read; with more vCPUs than fit, the number of the vCPU stands in front instead. */
const COLUMN_MIN = 22

/**
 * Each event in the column of its vCPU, behind the vCPU's instruction count; the global step at the left. Source
 * positions follow where they change. @param vcpus names of their entry functions, '' where there is none; @param width in characters; no line is longer
 */
export function formatColumns(lines: readonly TimelineLine[], names: readonly string[], width: number): string[] {
  const vcpus = names.length
  const gutter = 7
  const column = Math.floor((width - gutter) / vcpus)
  if (column < COLUMN_MIN) return formatNumbered(lines, width)
  const out = [`  step ${Array.from({ length: vcpus }, (_, v) => headOf(v, names[v], column - 1).padEnd(column)).join('')}`.trimEnd()]
  const sources = new Array<string>(vcpus).fill('')
  for (const line of lines) {
    const source = line.source !== '' && line.source !== sources[line.vcpu] ? ` [${line.source}]` : ''
    if (line.source !== '') sources[line.vcpu] = line.source
    const pad = ' '.repeat(gutter + line.vcpu * column)
    // The last column may use the rest of the line.
    const room = line.vcpu === vcpus - 1 ? width - pad.length : column - 1
    const head = `${String(line.icount).padStart(3)} `
    wrap(line.text + source, room - head.length).forEach((text, k) => {
      const left = k === 0 ? `${String(line.step).padStart(6)} `.padEnd(pad.length) + head : pad + ' '.repeat(head.length)
      out.push((left + text).trimEnd())
    })
  }
  return out
}

/** `vCPU 1: unlock (icount)`, as much of it as there is room for. */
function headOf(vcpu: number, name: string, room: number): string {
  const whole = name === '' ? `vCPU ${vcpu} (icount)` : `vCPU ${vcpu}: ${name} (icount)`
  return whole.length <= room ? whole : `vCPU ${vcpu} (icount)`
}

function formatNumbered(lines: readonly TimelineLine[], width: number): string[] {
  const out = ['  step vCPU icount event']
  for (const line of lines) {
    const head = `${String(line.step).padStart(6)} ${String(line.vcpu).padStart(4)} ${String(line.icount).padStart(6)} `
    const text = line.source === '' ? line.text : `${line.text} [${line.source}]`
    wrap(text, width - head.length).forEach((part, k) => out.push((k === 0 ? head : ' '.repeat(head.length)) + part))
  }
  return out
}

/** `1 path`, `2 paths`. */
export const counted = (count: number, what: string, several = `${what}s`): string => `${count} ${count === 1 ? what : several}`

/** As much of a line as there is room for. */
export const shortened = (text: string, width: number): string => (text.length <= width ? text : `${text.slice(0, width - 3)}...`)

/** Lines of at most `width` characters, broken at blanks where there are some; from the second on behind `indent` blanks. */
export function wrap(text: string, width: number, indent = 0): string[] {
  const out: string[] = []
  let rest = text
  while (rest.length > width) {
    const blank = rest.lastIndexOf(' ', width)
    const cut = blank > indent ? blank : width
    out.push(rest.slice(0, cut).trimEnd())
    rest = ' '.repeat(indent) + rest.slice(cut).trimStart()
  }
  out.push(rest)
  return out
}
