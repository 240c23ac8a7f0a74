/** `--workers`, `--shard`, `--resume`: a dpor search shared out among threads and machines; a search of dpor or graph that is kept in a file. */
import { Worker } from 'node:worker_threads'
import type { Command } from 'commander'
import type { Check, CheckOptions } from '../explore/check.ts'
import { CHECKPOINT_BYTES_MAX, CheckpointError, decodeCheckpoint, encodeCheckpoint, keyOf, type Checkpoint } from '../explore/checkpoint.ts'
import { decodeGraphCheckpoint, encodeGraphCheckpoint, isGraphCheckpoint } from '../explore/graph/checkpoint.ts'
import type { FromWorker, Port, ToWorker } from '../explore/parallel/protocol.ts'
import type { Shard } from '../explore/parallel/taskSearch.ts'
import type { MachineImage } from '../smp/image.ts'
import type { Model } from '../smp/model.ts'
import { numberFlag, type TaskFlags } from './common.ts'
import { UsageError } from './errors.ts'
import { fileExists, packageFile, readFile, replaceFile } from './files.ts'

const WORKERS_MAX = 256
const SHARDS_MAX = 10_000

export function addTaskFlags(command: Command): Command {
  return command
    .option('--workers <n>', 'threads that explore (dpor)')
    .option('--resume <file>', 'keep checkpoints in FILE, and go on from it where it exists (dpor, graph)')
    .option('--shard <i/n>', 'explore part i of n, into the --resume FILE; xmcheck merge puts the parts together (dpor)')
}

/** Adds what the flags say to the options of a check. @throws UsageError */
export function withTasks(options: CheckOptions, flags: TaskFlags & { readonly engine: string }, image: MachineImage, model: Model): CheckOptions {
  const workers = numberFlag('--workers', flags.workers, 1, WORKERS_MAX) ?? 1
  const shard = shardFlag(flags.shard)
  if (workers === 1 && shard === undefined && flags.resume === undefined) return options
  if (flags.engine !== 'dpor' && flags.engine !== 'auto' && flags.engine !== 'graph')
    throw new UsageError(`--workers, --shard and --resume are for engines that explore everything, not ${flags.engine}`)
  if (flags.engine === 'graph' && (workers > 1 || shard !== undefined))
    throw new UsageError('--workers and --shard divide executions, and graph explores states, which parts would have in common; use --engine dpor')
  const onlyResume = workers === 1 && shard === undefined && flags.resume !== undefined
  if (onlyResume && (flags.engine === 'graph' || (flags.engine === 'auto' && (asksForGraph(options) || isKeptGraph(flags.resume!))))) return withGraph(options, flags.resume!, image, model)
  if (options.limits?.preemptions !== undefined) throw new UsageError('--preemptions: dpor covers classes of executions whole; leave --workers, --shard and --resume away')
  if (options.limits?.interrupts !== undefined || options.limits?.stale !== undefined) throw new UsageError('--interrupts and --stale are not for searches that are divided or kept')
  if (options.limits?.states !== undefined) throw new UsageError('--states: dpor keeps no states; limit it by --time or --memory-limit')
  if (shard !== undefined && flags.resume === undefined) throw new UsageError('--shard: the part has to be kept; add --resume FILE')
  const kept = flags.resume !== undefined && fileExists(flags.resume) ? loadCheckpoint(flags.resume) : null
  if (kept !== null) {
    if (kept.key !== keyOf(image, model)) throw new UsageError(`${flags.resume}: it is of another program or model (${kept.title}; ${describeKnobs(kept)})`)
    if (kept.shard?.index !== shard?.index || kept.shard?.of !== shard?.of)
      throw new UsageError(`${flags.resume}: it is of ${kept.shard === null ? 'a whole search' : `part ${kept.shard.index}/${kept.shard.of}`}; say --shard as it was`)
  }
  const ports = workers === 1 ? [] : openWorkers(workers)
  return { ...options, engine: 'dpor', tasks: { ports, ...(shard === undefined ? {} : { shard }), ...(kept === null ? {} : { saved: kept.state }) } }
}

/** Bounds, and questions about runs that go on for ever, are for the graph engine. */
function asksForGraph({ limits, liveness }: CheckOptions): boolean {
  return limits?.preemptions !== undefined || limits?.states !== undefined || liveness === 'progress' || liveness === 'termination'
}

const isKeptGraph = (path: string) => fileExists(path) && isGraphCheckpoint(readFile(path, CHECKPOINT_BYTES_MAX))

function withGraph(options: CheckOptions, path: string, image: MachineImage, model: Model): CheckOptions {
  if (!fileExists(path)) return { ...options, engine: 'graph' }
  const saved = reading(path, () => decodeGraphCheckpoint(readFile(path, CHECKPOINT_BYTES_MAX)))
  if (saved.key !== keyOf(image, model)) throw new UsageError(`${path}: it is of another program or model (${saved.title}; ${describeKnobs(saved)})`)
  return { ...options, engine: 'graph', saved }
}

const describeKnobs = ({ knobs }: Pick<Checkpoint, 'knobs'>) => Object.entries(knobs).map(([name, value]) => `${name}=${value}`).join(' ')

/** Keeps checkpoints of a check in the file that `--resume` names. */
export function keeper(flags: TaskFlags): ((check: Check) => void) | undefined {
  const path = flags.resume
  if (path === undefined) return undefined
  return (check) => {
    const checkpoint = check.checkpoint()
    if (checkpoint !== null) return replaceFile(path, encodeCheckpoint(checkpoint))
    const graph = check.graphCheckpoint()
    if (graph !== null) replaceFile(path, encodeGraphCheckpoint(graph))
  }
}

/** @throws UsageError */
export function loadCheckpoint(path: string): Checkpoint {
  const file = readFile(path, CHECKPOINT_BYTES_MAX)
  if (isGraphCheckpoint(file)) throw new UsageError(`${path}: it is of a graph search; only --engine graph goes on with it`)
  return reading(path, () => decodeCheckpoint(file))
}

/** @throws UsageError where what is read from the file is no checkpoint that fits */
export function reading<T>(path: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw asMistake(path, error)
  }
}

/** What the user is told of an error of a search that was kept in `path`. */
export function asMistake(path: string, error: unknown): unknown {
  return error instanceof CheckpointError ? new UsageError(`${path}: ${error.message}`) : error
}

function shardFlag(text: string | undefined): Shard | undefined {
  if (text === undefined) return undefined
  const match = /^(\d{1,5})\/(\d{1,5})$/.exec(text)
  const [index, of] = match === null ? [0, 0] : [Number(match[1]), Number(match[2])]
  if (index < 1 || index > of || of > SHARDS_MAX) throw new UsageError(`--shard ${text}: write i/n, 1 to n of at most ${SHARDS_MAX}`)
  return { index, of }
}

export function openWorkers(count: number): Port[] {
  return Array.from({ length: count }, openWorker)
}

function openWorker(): Port {
  const worker = new Worker(packageFile('dist', 'worker.js'))
  let closed = false
  const port: Port = {
    post: (message: ToWorker) => worker.postMessage(message),
    onMessage: () => {},
    close: () => {
      closed = true
      void worker.terminate()
    },
  }
  worker.on('message', (message: FromWorker) => port.onMessage(message))
  worker.on('error', (error) => port.onMessage({ kind: 'broken', message: error.message }))
  worker.on('exit', (code) => {
    if (!closed) port.onMessage({ kind: 'broken', message: `it ended with code ${code}` })
  })
  return port
}
