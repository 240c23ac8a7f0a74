/*
 * Scripts of locks: three vCPUs, and with IRQ an interrupt on vCPU 0, do what the tables below say. The tables are data that properties
 * write over (properties/locks.test.ts); as they stand, two vCPUs take two locks inside each other, in one order.
 *
 * object:
 * object: -DIRQ
 */
#define XM_LOCK_VCPUS 3
#define XM_QUEUED_VCPUS 3
#define XM_QUEUED_NESTING 4
#define XM_PV_VCPUS 3
#define XM_SPINS 1
#include "xmqueued.h"

#define LOCKS 2
enum { END, TAKE, GIVE, OFF, ON, WORK };
enum { TICKET, DEC, BYTE, MCS, QUEUED, KVM_TICKET };
#define STEP(op, lock) ((op) << 4 | (lock))
#define STEPS 16

/* Rows: the vCPUs, the interrupt. */
const volatile unsigned char mix_scripts[4][STEPS] = {
	{ STEP(TAKE, 0), STEP(TAKE, 1), STEP(WORK, 1), STEP(GIVE, 1), STEP(WORK, 0), STEP(GIVE, 0) },
	{ STEP(TAKE, 0), STEP(TAKE, 1), STEP(WORK, 1), STEP(GIVE, 1), STEP(WORK, 0), STEP(GIVE, 0) },
};
const volatile unsigned char mix_kinds[LOCKS] = { TICKET, BYTE };
/* How often the vCPUs work with each lock, and the interrupt. */
const volatile unsigned char mix_works[2 * LOCKS] = { 2, 2, 0, 0 };

static struct lock {
	struct xm_ticket_lock ticket;
	struct xm_dec_lock dec;
	volatile unsigned char byte;
	struct xm_mcs_lock mcs;
	struct xm_queued_lock queued;
	struct xm_pv_ticket_lock pv;
} __attribute__((aligned(32))) locks[LOCKS] = { { .dec = XM_DEC_LOCK_INIT }, { .dec = XM_DEC_LOCK_INIT } };
static struct xm_mcs_node nodes[LOCKS][4];
static struct xm_pv_waiter waiters[XM_PV_VCPUS];
static volatile unsigned int data[LOCKS], interrupts;

/* `context`: as `vcpu`, or 3 for the interrupt. */
static void take(struct lock *lock, int k, int vcpu, int context)
{
	switch (mix_kinds[k]) {
	case TICKET:
		xm_ticket_lock(&lock->ticket);
		break;
	case DEC:
		xm_dec_lock(&lock->dec);
		break;
	case BYTE:
		xm_byte_lock(&lock->byte);
		break;
	case MCS:
		xm_mcs_lock(&lock->mcs, &nodes[k][context]);
		break;
	case QUEUED:
		xm_queued_lock(&lock->queued, (unsigned int)vcpu);
		break;
	case KVM_TICKET:
		xm_kvm_ticket_lock(&lock->pv, &waiters[vcpu]);
		break;
	}
	XM_ENTER(lock);
}
static void give(struct lock *lock, int k, int context)
{
	XM_LEAVE(lock);
	switch (mix_kinds[k]) {
	case TICKET:
		xm_ticket_unlock(&lock->ticket);
		break;
	case DEC:
		xm_dec_unlock(&lock->dec);
		break;
	case BYTE:
		xm_byte_unlock(&lock->byte);
		break;
	case MCS:
		xm_mcs_unlock(&lock->mcs, &nodes[k][context]);
		break;
	case QUEUED:
		xm_queued_unlock(&lock->queued);
		break;
	case KVM_TICKET:
		xm_kvm_ticket_unlock(&lock->pv, waiters);
		break;
	}
}
static void run(int vcpu, int context)
{
	for (int n = 0; n < STEPS; n++) {
		const unsigned int step = mix_scripts[context][n], k = step & 15;
		switch (step >> 4) {
		case TAKE:
			take(&locks[k], (int)k, vcpu, context);
			break;
		case GIVE:
			give(&locks[k], (int)k, context);
			break;
		case OFF:
			xm_cli();
			break;
		case ON:
			xm_sti();
			xm_barrier();
			break;
		case WORK:
			data[k]++;
			break;
		default:
			return;
		}
	}
}

static void cpu(int self)
{
	run(self, self);
	xm_cli();
}
XM_VCPUS(cpu, 3);

#ifdef IRQ
static void interrupt(struct xm_frame *frame)
{
	(void)frame;
	interrupts++;
	run(0, 3);
}
XM_IRQ(0, 0x40, interrupt, 1);
#endif

static void all_done(void)
{
	for (unsigned int k = 0; k < LOCKS; k++)
		XM_ASSERT(data[k] == mix_works[k] + interrupts * mix_works[LOCKS + k]);
}
XM_FINAL(all_done);
