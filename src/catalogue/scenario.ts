/**
 * An entry of the catalogue as guest code: one C file, whose first comment says what it is and lists its variants.
 *
 * ```
 * A07  text_poke_bp without its second synchronisation
 *
 * source: fd4363fff3d9 (mutant), provenance H
 *
 * variant independent-chunks: -DNO_SYNC2 --fetch independent:4
 * variant in-order-chunks: -DNO_SYNC2 --fetch ordered:4
 * variant NAME/CASE: ...        one variant may have several cases: all of them must get its verdict
 * variant NAME: -DX measure pcpus=1 quantum=1000,4000   runs in virtual time and reports counts (docs/catalogue.md)
 * ```
 *
 * Words that begin with `-D` are for the compiler, the others are options of `xmcheck check`.
 */

import { holds } from './conditions.ts'

export interface Scenario {
  readonly id: string
  readonly title: string
  /** Where it comes from. */
  readonly source: string
  /** File, relative to the catalogue. */
  readonly file: string
  readonly variants: readonly ScenarioVariant[]
}

export interface ScenarioVariant {
  readonly name: string
  /** Of several cases of one variant; '' where there is one. */
  readonly case: string
  /** Macros that the compiler is given. */
  readonly defines: readonly string[]
  /** Object file, relative to the catalogue: variants with the same macros share one. */
  readonly object: string
  /** Options of `xmcheck check`. */
  readonly options: readonly string[]
}

/** A mistake in the head of a scenario. */
export class ScenarioError extends Error {}

/** Reads the head of a scenario file. @throws ScenarioError */
export function readScenario(file: string, text: string): Scenario {
  const comment = /^\/\*([^]*?)\*\//.exec(text)?.[1]
  if (comment === undefined) throw new ScenarioError(`${file}: it does not begin with a comment that says what it is`)
  const lines = comment.split('\n').map((line) => line.replace(/^\s*\*? ?/, '').trimEnd())
  const head = lines.map((line) => /^([A-Z]\d\d) {2}(.+)$/.exec(line)).find((match) => match !== null)
  if (!head) throw new ScenarioError(`${file}: its head has no line 'ID  title'`)
  const [, id, title] = head
  const field = (name: string) => lines.flatMap((line) => (line.startsWith(`${name}`) ? [line.slice(name.length).trim()] : []))
  const variants = field('variant ').map((line) => readVariant(file, id, line))
  if (variants.length === 0) throw new ScenarioError(`${file}: it has no variant`)
  const [source] = field('source:')
  if (source === undefined) throw new ScenarioError(`${file}: it has no source`)
  return { id, title, source, file, variants }
}

function readVariant(file: string, id: string, line: string): ScenarioVariant {
  const match = /^([\w.+-]+)(?:\/([\w.+-]+))?:(.*)$/.exec(line)
  if (!match) throw new ScenarioError(`${file}: 'variant ${line}' is not 'variant NAME: words' or 'variant NAME/CASE: words'`)
  const words = match[3].split(/\s+/).filter((word) => word !== '')
  const defines = words.filter((word) => word.startsWith('-D'))
  const suffix = defines.map((word) => `-${word.slice(2).replace(/[^\w]/g, '_')}`).join('')
  return {
    name: match[1],
    case: match[2] ?? '',
    defines,
    object: `objects/${id}${suffix}.o`,
    options: words.filter((word) => !word.startsWith('-D')),
  }
}

/**
 * The source as one variant sees it: `#if`, `#ifdef`, `#ifndef`, `#elif`, `#else` on the macros that variants of its file
 * set are carried out, everything else stays. For showing how variants differ.
 */
export function sourceOf(text: string, scenario: Scenario, variant: ScenarioVariant): string {
  const split = (word: string) => /^-D(\w+)(?:=(.*))?$/.exec(word) ?? ['', '', '']
  const known = new Set(scenario.variants.flatMap((one) => one.defines.map((word) => split(word)[1])))
  const values = new Map(variant.defines.map((word) => [split(word)[1], split(word)[2] ?? '1']))
  const out: string[] = []
  /** Per open conditional: ours to resolve?, is this branch taken?, was one taken? */
  const open: { ours: boolean; on: boolean; done: boolean }[] = []
  const body = text.slice(text.indexOf('*/') + 2).split('\n')
  for (const line of body) {
    const directive = /^#\s*(if|ifdef|ifndef|elif|else|endif)\b\s*(.*)$/.exec(line)
    const shown = open.every((one) => !one.ours || one.on)
    if (!directive) {
      if (!shown) continue
      out.push(line)
      // The file may say what a macro is where no variant does.
      const define = /^#\s*define\s+(\w+)(?:\s+(\S+))?\s*$/.exec(line)
      if (define && known.has(define[1])) values.set(define[1], define[2] ?? '')
      continue
    }
    const [, name, rest] = directive
    const condition = rest.replace(/\/\*.*$/, '').trim()
    if (name === 'if' || name === 'ifdef' || name === 'ifndef') {
      const ours = [...condition.matchAll(/\b[A-Za-z_]\w*\b/g)].some((match) => known.has(match[0]))
      const on = ours && (name === 'ifdef' ? values.has(condition) : name === 'ifndef' ? !values.has(condition) : holds(condition, values, known))
      if (!ours && shown) out.push(line)
      open.push({ ours, on, done: on })
      continue
    }
    const top = open[open.length - 1]
    if (top === undefined || !top.ours) {
      if (shown) out.push(line)
    } else if (name === 'else') top.on = !top.done
    else if (name === 'elif') {
      top.on = !top.done && holds(condition, values, known)
      top.done ||= top.on
    }
    if (name === 'endif') open.pop()
  }
  return out.join('\n').trim() + '\n'
}
