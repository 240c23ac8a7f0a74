/** The founding question, answered in words from the verdicts of cells (relink.ts). */
import { makeModel } from '../smp/model.ts'
import { boundaryOf, type RungVerdict } from './ladder.ts'
import type { Cell } from './relink.ts'

/** That the code was executed at all is the violation: what it called is not judged. */
const UNJUDGED = 'code-race'
const WORDS: Readonly<Record<RungVerdict, string>> = { holds: 'no', violated: 'yes', unknown: 'not decided' }

const list = (names: readonly string[]) => names.join(', ').replace(/, ([^,]*)$/, ' and $1')

/** Paragraphs: the answer where code is fetched as the default has it, then what depends on the rung; layouts of which the same is true are together. */
export function answer(cells: readonly Cell[]): string[] {
  const judged = cells.filter(({ result }) => result.violation?.kind !== UNJUDGED)
  const layouts = [...new Set(judged.map(({ layout }) => layout))]
  const byLayout = layouts.map((layout) => ({ name: layout.name, rungs: verdictsOf(judged.filter((cell) => cell.layout === layout)) }))
  const usual = String(makeModel({}).knobs.fetch)
  const onUsual = together(byLayout.flatMap(({ name, rungs }) => rungs.filter(({ rung }) => rung === usual).map(({ verdict }) => ({ name, text: WORDS[verdict] }))))
  const unjudged = [...new Set(cells.filter((cell) => !judged.includes(cell)).map(({ fetch }) => fetch))]
  return [
    'Answer: can a call whose offset is rewritten by one store reach anything but the old or the new function?',
    ...(onUsual.length === 0 ? [] : [`As kernels take code to be fetched (${usual}):`]),
    ...onUsual.map(({ names, text }) => `  ${text}: ${names}`),
    ...(byLayout.length === 0 ? [] : ['By how it may be fetched:']),
    ...together(byLayout.map(({ name, rungs }) => ({ name, text: inWords(rungs) }))).map(({ names, text }) => `  ${names}: ${text}`),
    ...(unjudged.length === 0 ? [] : [`On ${list(unjudged)} to execute what was rewritten is the violation, whatever it calls.`]),
  ]
}

function together(all: readonly { readonly name: string; readonly text: string }[]): { names: string; text: string }[] {
  const texts = [...new Set(all.map(({ text }) => text))]
  return texts.map((text) => ({ names: all.filter((one) => one.text === text).map(({ name }) => name).join('; '), text }))
}

type Verdicts = readonly { readonly rung: string; readonly verdict: RungVerdict }[]

/** Of one layout, with any number of vCPUs. */
function verdictsOf(cells: readonly Cell[]): Verdicts {
  return [...new Set(cells.map(({ fetch }) => fetch))].map((rung) => {
    const results = cells.filter((cell) => cell.fetch === rung).map(({ result }) => result)
    if (results.some(({ verdict }) => verdict === 'violated')) return { rung, verdict: 'violated' }
    return { rung, verdict: results.every(({ verdict, strength }) => verdict === 'holds' && strength === 'complete') ? 'holds' : 'unknown' }
  })
}

function inWords(rungs: Verdicts): string {
  const { violatedFrom, holdsUpTo } = boundaryOf(rungs)
  const open = rungs.filter(({ verdict }) => verdict === 'unknown').map(({ rung }) => rung)
  const same = new Set(rungs.map(({ verdict }) => verdict)).size === 1
  if (same) return `${WORDS[rungs[0].verdict]} on ${rungs.length === 1 ? rungs[0].rung : 'every rung'}`
  return [
    holdsUpTo.length === 0 ? [] : [`no up to ${list(holdsUpTo)}`],
    violatedFrom.length === 0 ? [] : [`yes from ${list(violatedFrom)} on`],
    open.length === 0 ? [] : [`not decided on ${list(open)}`],
  ].flat().join(', ')
}
