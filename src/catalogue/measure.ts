/**
 * Variants that are measured, not judged: the program runs in virtual time (cost/run.ts) for each number of pCPUs and each
 * timeslice that the entry names, and what was counted becomes its metrics.
 */
import { quantile } from '../cost/quantile.ts'
import { runCost } from '../cost/run.ts'
import { COST_TABLES } from '../cost/table.ts'
import type { MachineImage } from '../smp/image.ts'
import { ScenarioError, type ScenarioVariant } from './scenario.ts'

interface Measurement {
  readonly pcpus: readonly number[]
  readonly quantum: readonly number[]
  readonly table: string
}

/** What `measure` asks for; null where the variant is explored. @throws ScenarioError */
export function measurementOf({ name, options }: ScenarioVariant): Measurement | null {
  if (options[0] !== 'measure') return null
  const found: { pcpus: number[]; quantum: number[]; table: string } = { pcpus: [0], quantum: [1_000_000], table: 'p6' }
  for (const word of options.slice(1)) {
    const [key, value = ''] = word.split('=')
    const numbers = value.split(',').map(Number)
    const sound = numbers.every((number) => Number.isInteger(number) && number >= 0)
    if (key === 'pcpus' && sound) found.pcpus = numbers
    else if (key === 'quantum' && sound) found.quantum = numbers
    else if (key === 'table' && COST_TABLES[value] !== undefined) found.table = value
    else throw new ScenarioError(`variant ${name}: '${word}' is not pcpus=N,.. quantum=CYCLES,.. or table=CLASS`)
  }
  return found
}

/** Counts that an entry may be about; those that are 0 in every run are left out. */
const COUNTS = ['pauses', 'lineTransfers', 'codeWrites', 'ipis', 'kicks', 'blocks', 'preemptions', 'contextSwitches'] as const

/** Metrics by name, each with the configuration that it belongs to. */
export function measure(image: MachineImage, { pcpus, quantum, table }: Measurement): Record<string, number> {
  const metrics: Record<string, number> = {}
  for (const cpus of pcpus)
    for (const slice of quantum) {
      const result = runCost(image, { table: COST_TABLES[table], pcpus: cpus, quantum: slice, cyclesMax: 1e9, eventsMax: 3_000_000 })
      if (result.violation !== null) throw new ScenarioError(`${image.title}: ${result.violation.message}`)
      const where = [...(pcpus.length > 1 ? [`pcpus=${cpus}`] : []), ...(quantum.length > 1 ? [`quantum=${slice}`] : [])].join(' ')
      const add = (name: string, value: number) => (metrics[`${where}${where && ' '}${name}`] = Math.round(value))
      add('cycles', result.cycles)
      for (const name of COUNTS) if (result.total[name] !== 0) add(name, result.total[name])
      for (const name of new Set(result.intervals.map((one) => one.name))) {
        const lengths = result.intervals.filter((one) => one.name === name).map((one) => one.to - one.from)
        add(`${name} median`, quantile(lengths, 0.5))
        add(`${name} longest`, quantile(lengths, 1))
      }
    }
  return metrics
}
