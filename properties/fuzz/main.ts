/** `npm run fuzz -- N [FROM]`: N programs, from seed FROM on; stops at the first difference. `npm run fuzz -- faults`; `npm run fuzz -- wide N [FROM]`. */
import { compare, FAULTS, type EngineFault, type Outcome } from './compare.ts'
import { beyond, BEYOND_PROGRAMS } from './beyond.ts'
import { randomProgram, smaller, textOf, type Program } from './program.ts'
import { compareWide, wideProgram } from './wide.ts'

const outcomeOf = (program: Program, fault: EngineFault | null): Outcome => {
  try {
    return compare(program, fault)
  } catch (error) {
    return { problems: [String((error as Error).stack)], skipped: null, classes: 0, surplus: 0 }
  }
}
const fails = (program: Program, fault: EngineFault | null) => outcomeOf(program, fault).problems

function shrink(program: Program): Program {
  for (const candidate of smaller(program)) {
    const problems = fails(candidate, null)
    if (problems.length > 0 && !problems[0].includes('AssemblyError')) return shrink(candidate)
  }
  return program
}

function run(count: number, from: number): void {
  const skipped = new Map<string, number>()
  let [classes, surplus, compared] = [0, 0, 0]
  const started = performance.now()
  for (let seed = from; seed < from + count; seed++) {
    const program = randomProgram(seed)
    const outcome = outcomeOf(program, null)
    if (outcome.problems.length > 0) {
      const least = shrink(program)
      process.stdout.write(`seed ${seed}: ${fails(least, null).join('; ')}\n${JSON.stringify(least.model.knobs)}\n${textOf(least, 'loops')}\n`)
      process.exitCode = 1
      return
    }
    if (outcome.skipped !== null) skipped.set(outcome.skipped, (skipped.get(outcome.skipped) ?? 0) + 1)
    else compared++
    classes += outcome.classes
    surplus += outcome.surplus
    if ((seed - from + 1) % 1000 === 0) report(seed - from + 1)
  }
  if (count % 1000 !== 0) report(count)
  function report(done: number): void {
    const why = [...skipped].map(([reason, times]) => `${times} ${reason}`).join(', ')
    process.stdout.write(`${done} programs, ${compared} compared whole, no difference; ${classes} classes, ${surplus} executions beyond (${why}); ${((performance.now() - started) / 1000).toFixed(0)} s\n`)
  }
}

/** How soon each broken engine is noticed. */
function faults(): void {
  for (const [fault, kinds] of Object.entries(FAULTS) as [keyof typeof FAULTS, readonly string[]][]) {
    const started = performance.now()
    let compared = 0
    let noticed = false
    for (let seed = 1; seed < 100_000 && !noticed; seed++) {
      const program = randomProgram(seed)
      if (kinds.length > 0 && !kinds.includes(program.kind)) continue
      compared++
      noticed = fails(program, fault).length > 0
    }
    process.stdout.write(`${fault.padEnd(20)} ${noticed ? 'noticed' : 'NOT NOTICED'} at program ${compared} (${kinds.join(', ') || 'any'}), after ${((performance.now() - started) / 1000).toFixed(1)} s\n`)
  }
  for (const fault of [null, 'no-fetch-order'] as const) {
    const { classes, surplus } = beyond(BEYOND_PROGRAMS, fault)
    process.stdout.write(`${(fault ?? 'no fault').padEnd(20)} ${surplus} executions beyond ${classes} classes\n`)
  }
}

/** Executions and classes of wide programs. */
function wide(count: number, from: number): void {
  let [compared, sum] = [0, 0]
  for (let seed = from; seed < from + count; seed++) {
    const { classes, executions, redundant } = compareWide(wideProgram(seed))
    if (classes === null) continue
    compared++
    sum += classes
    if (executions === classes && redundant === 0) continue
    process.stdout.write(`seed ${seed}: ${executions} executions, ${redundant} redundant, of ${classes} classes\n${wideProgram(seed)}`)
    process.exitCode = 1
    return
  }
  process.stdout.write(`${compared} of ${count} wide programs compared, no difference; ${sum} classes\n`)
}

if (process.argv[2] === 'faults') faults()
else if (process.argv[2] === 'wide') wide(Number(process.argv[3] ?? 1000), Number(process.argv[4] ?? 1))
else run(Number(process.argv[2] ?? 1000), Number(process.argv[3] ?? 1))
