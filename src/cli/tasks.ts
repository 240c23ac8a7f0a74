/** `--workers`, `--shard`, `--resume`: a dpor search shared out among threads and machines, and kept in a file. */
import { Worker } from 'node:worker_threads'
import type { Command } from 'commander'
import type { Check, CheckOptions } from '../explore/check.ts'
import { CHECKPOINT_BYTES_MAX, CheckpointError, decodeCheckpoint, encodeCheckpoint, keyOf, type Checkpoint } from '../explore/checkpoint.ts'
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
    .option('--resume <file>', 'keep checkpoints in FILE, and go on from it where it exists (dpor)')
    .option('--shard <i/n>', 'explore part i of n, into the --resume FILE; xmcheck merge puts the parts together (dpor)')
}

/** Adds what the flags say to the options of a check. @throws UsageError */
export function withTasks(options: CheckOptions, flags: TaskFlags & { readonly engine: string }, image: MachineImage, model: Model): CheckOptions {
  const workers = numberFlag('--workers', flags.workers, 1, WORKERS_MAX) ?? 1
  const shard = shardFlag(flags.shard)
  if (workers === 1 && shard === undefined && flags.resume === undefined) return options
  if (flags.engine !== 'dpor' && flags.engine !== 'auto')
    throw new UsageError(`--workers, --shard and --resume are for the dpor engine, not ${flags.engine}`)
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

const describeKnobs = ({ knobs }: Checkpoint) => Object.entries(knobs).map(([name, value]) => `${name}=${value}`).join(' ')

/** Keeps checkpoints of a check in the file that `--resume` names. */
export function keeper(flags: TaskFlags): ((check: Check) => void) | undefined {
  const path = flags.resume
  if (path === undefined) return undefined
  return (check) => {
    const checkpoint = check.checkpoint()
    if (checkpoint !== null) replaceFile(path, encodeCheckpoint(checkpoint))
  }
}

/** @throws UsageError */
export function loadCheckpoint(path: string): Checkpoint {
  try {
    return decodeCheckpoint(readFile(path, CHECKPOINT_BYTES_MAX))
  } catch (error) {
    if (error instanceof CheckpointError) throw new UsageError(`${path}: ${error.message}`)
    throw error
  }
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
