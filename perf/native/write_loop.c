/*
 * The loop that garden-perf calls the ceiling, in C: two endpoints of one provider in one process, driven by one thread, writes with an
 * immediate and delivery completion, a fixed number under way. It says whether the C# loop (garden-perf fabric --raw-only) is one.
 *
 *   write_loop PROVIDER [ADDRESS]        tcp needs a local address, shm none
 *
 * Each line "BYTES MILLISECONDS" of the input is a sample; its writes per second are the answer.
 */
#include <rdma/fabric.h>
#include <rdma/fi_cm.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_errno.h>
#include <rdma/fi_rma.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DEPTH 64
#define ENTRIES 64
#define AREA (64UL << 20)
#define SLOTS 64
#define BATCHES 8

#define CHECK(call) do { int code_ = (call); if (code_) { fprintf(stderr, "%s: %s\n", #call, fi_strerror(-code_)); exit(1); } } while (0)

struct end {
    struct fid_fabric *fabric;
    struct fid_domain *domain;
    struct fid_av *av;
    struct fid_cq *cq;
    struct fid_ep *ep;
    struct fid_mr *mr;
    struct fi_info *info;
    char *memory;
    uint64_t flags, base, peer, peer_base, peer_key, ended, arrived;
    struct fi_context2 contexts[DEPTH];
    int free[DEPTH], free_count;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static void open_end(struct end *end, const char *provider, const char *address, uint64_t key)
{
    struct fi_info *hints = fi_allocinfo();
    hints->caps = FI_MSG | FI_RMA;
    hints->mode = FI_CONTEXT | FI_CONTEXT2;
    hints->ep_attr->type = FI_EP_RDM;
    hints->domain_attr->mr_mode = FI_MR_LOCAL | FI_MR_VIRT_ADDR | FI_MR_ALLOCATED | FI_MR_PROV_KEY | FI_MR_ENDPOINT | FI_MR_HMEM;
    hints->domain_attr->threading = FI_THREAD_DOMAIN;
    hints->domain_attr->control_progress = FI_PROGRESS_MANUAL;
    hints->domain_attr->data_progress = FI_PROGRESS_MANUAL;
    hints->domain_attr->resource_mgmt = FI_RM_ENABLED;
    hints->fabric_attr->prov_name = strdup(provider);
    uint32_t version = fi_version() < FI_VERSION(1, 20) ? fi_version() : FI_VERSION(1, 20);
    CHECK(fi_getinfo(version, address, NULL, address ? FI_SOURCE : 0, hints, &end->info));
    CHECK(fi_fabric(end->info->fabric_attr, &end->fabric, NULL));
    CHECK(fi_domain(end->fabric, end->info, &end->domain, NULL));
    struct fi_av_attr av = { .type = FI_AV_UNSPEC };
    CHECK(fi_av_open(end->domain, &av, &end->av, NULL));
    /* The wait object the engine asks for: with one, tcp keeps an epoll set. */
    struct fi_cq_attr cq = { .size = 8192, .format = FI_CQ_FORMAT_DATA, .wait_obj = strcmp(provider, "tcp") ? FI_WAIT_NONE : FI_WAIT_FD };
    CHECK(fi_cq_open(end->domain, &cq, &end->cq, NULL));
    CHECK(fi_endpoint(end->domain, end->info, &end->ep, NULL));
    CHECK(fi_ep_bind(end->ep, &end->av->fid, 0));
    CHECK(fi_ep_bind(end->ep, &end->cq->fid, FI_TRANSMIT | FI_RECV));
    CHECK(fi_enable(end->ep));
    end->memory = aligned_alloc(4096, AREA);
    memset(end->memory, 1, AREA);
    CHECK(fi_mr_reg(end->domain, end->memory, AREA, FI_SEND | FI_RECV | FI_WRITE | FI_REMOTE_WRITE, 0, key, 0, &end->mr, NULL));
    if (end->info->domain_attr->mr_mode & FI_MR_ENDPOINT) {
        CHECK(fi_mr_bind(end->mr, &end->ep->fid, 0));
        CHECK(fi_mr_enable(end->mr));
    }
    end->base = end->info->domain_attr->mr_mode & FI_MR_VIRT_ADDR ? (uint64_t)(uintptr_t)end->memory : 0;
    end->flags = FI_COMPLETION | FI_REMOTE_CQ_DATA | (strcmp(provider, "shm") ? FI_DELIVERY_COMPLETE : 0);
    for (int i = 0; i < DEPTH; i++)
        end->free[end->free_count++] = i;
    fi_freeinfo(hints);
}

static void connect_end(struct end *end, struct end *other)
{
    char name[256];
    size_t length = sizeof name;
    CHECK(fi_getname(&other->ep->fid, name, &length));
    if (fi_av_insert(end->av, name, 1, &end->peer, 0, NULL) != 1)
        exit(1);
    end->peer_base = other->base;
    end->peer_key = fi_mr_key(other->mr);
}

static int post(struct end *end, uint64_t offset, size_t bytes)
{
    if (!end->free_count)
        return 0;
    int slot = end->free[end->free_count - 1];
    struct iovec local = { end->memory + offset, bytes };
    void *descriptor = fi_mr_desc(end->mr);
    struct fi_rma_iov remote = { end->peer_base + offset, bytes, end->peer_key };
    struct fi_msg_rma message = { &local, &descriptor, 1, end->peer, &remote, 1, &end->contexts[slot], 1 };
    ssize_t result = fi_writemsg(end->ep, &message, end->flags);
    if (result == -FI_EAGAIN)
        return 0;
    CHECK((int)result);
    end->free_count--;
    return 1;
}

static void poll_end(struct end *end)
{
    struct fi_cq_data_entry entries[ENTRIES];
    ssize_t count = fi_cq_read(end->cq, entries, ENTRIES);
    if (count == -FI_EAGAIN)
        return;
    if (count < 0)
        CHECK((int)count);
    for (ssize_t i = 0; i < count; i++) {
        if (entries[i].flags & FI_REMOTE_CQ_DATA) {
            end->arrived++;
        } else {
            end->free[end->free_count++] = (int)((struct fi_context2 *)entries[i].op_context - end->contexts);
            end->ended++;
        }
    }
}

static void run(struct end *sender, struct end *receiver, size_t bytes, uint64_t depth, uint64_t writes)
{
    uint64_t stride = (bytes + 63) / 64 * 64, slots = AREA / stride < SLOTS ? AREA / stride : SLOTS;
    uint64_t ended = sender->ended + writes, arrived = receiver->arrived + writes, start = sender->ended, posted = 0;
    while (sender->ended < ended || receiver->arrived < arrived) {
        while (posted < writes && posted - (sender->ended - start) < depth && post(sender, posted % slots * stride, bytes))
            posted++;
        poll_end(sender);
        poll_end(receiver);
    }
}

static double rate(struct end *sender, struct end *receiver, size_t bytes, uint64_t depth, double seconds)
{
    double started = now();
    uint64_t writes = 0, step = BATCHES * depth;
    for (; now() - started < seconds; writes += step)
        run(sender, receiver, bytes, depth, step);
    return writes / (now() - started);
}

int main(int argc, char **argv)
{
    static struct end sender, receiver;
    if (argc < 2) {
        fprintf(stderr, "write_loop PROVIDER [ADDRESS]\n");
        return 2;
    }
    const char *address = argc > 2 ? argv[2] : NULL;
    open_end(&sender, argv[1], address, 11);
    open_end(&receiver, argv[1], address, 12);
    connect_end(&sender, &receiver);
    connect_end(&receiver, &sender);
    size_t bytes;
    double milliseconds;
    while (scanf("%zu %lf", &bytes, &milliseconds) == 2) {
        uint64_t depth = (32UL << 20) / bytes < DEPTH ? (32UL << 20) / bytes : DEPTH;
        printf("%.1f\n", rate(&sender, &receiver, bytes, depth, milliseconds / 1000));
        fflush(stdout);
    }
    return 0;
}
