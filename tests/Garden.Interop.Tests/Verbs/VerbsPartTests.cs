using System.Net;
using System.Runtime.InteropServices;
using CsCheck;
using Garden.Fabric;
using Garden.Interop.Verbs;
using Garden.Interop.Verbs.Native;

namespace Garden.Interop.Tests.Verbs;

/// <summary>The parts a write passes through, on a device that is a table of functions: chains, slots, receives, credits, first causes.</summary>
public sealed unsafe class VerbsPartTests
{
    [Fact]
    public void AChainIsLinkedAndItsLastRequestAloneAsksForACompletion()
    {
        using var device = new TableDevice();
        using var chain = new WriteChain(16, 1);
        // Long ones before short ones: nothing of a chain is left in the next.
        for (int count = 16; count >= 1; count--)
        {
            chain.Clear();
            for (int i = 0; i < count; i++)
            {
                ibv_send_wr* request = chain.Begin((ulong)i * 4096, 7);
                Assert.True(chain.TryAdd(request, (ulong)i << 20, 4096, 3));
                request->wr_id = (ulong)i;
                if (i % 3 == 0)
                    WriteChain.SetImmediate(request, 0x80000001u + (uint)i);
            }

            Assert.Equal(0, chain.Post(device.Queue));
            Assert.Equal(count, device.Sent.Count);
            for (int i = 0; i < count; i++)
            {
                ibv_send_wr sent = device.Sent[i];
                Assert.Equal(((ulong)i, (ulong)i * 4096, 7u, 1), (sent.wr_id, sent.wr_rdma_remote_addr, sent.wr_rdma_rkey, sent.num_sge));
                Assert.Equal(i == count - 1 ? IBV.IBV_SEND_SIGNALED : 0u, sent.send_flags);
                Assert.Equal(i % 3 == 0 ? IBV.IBV_WR_RDMA_WRITE_WITH_IMM : IBV.IBV_WR_RDMA_WRITE, sent.opcode);
                if (i % 3 == 0)
                    Assert.Equal(0x80000001u + (uint)i, (uint)IPAddress.NetworkToHostOrder((int)sent.imm_data));
            }
        }
    }

    [Fact]
    public void PiecesThatContinueEachOtherAreOneAndOthersFindSoManyPlaces()
    {
        using var chain = new WriteChain(2, 2);
        ibv_send_wr* request = chain.Begin(0, 1);
        Assert.True(chain.TryAdd(request, 1000, 24, 5));
        Assert.True(chain.TryAdd(request, 1024, 8, 5));
        Assert.Equal((1, 32u), (request->num_sge, request->sg_list[0].length));
        // Next to it under another key, which is another region.
        Assert.True(chain.TryAdd(request, 1032, 8, 6));
        Assert.False(chain.TryAdd(request, 5000, 8, 6));
        Assert.True(chain.TryAdd(request, 1040, 8, 6));
        Assert.Equal((2, 32u, 16u), (request->num_sge, request->sg_list[0].length, request->sg_list[1].length));
        // The next request has pieces of its own.
        Assert.True(chain.TryAdd(chain.Begin(0, 1), 7000, 1, 5));
        Assert.Equal((1000ul, 1032ul), (request->sg_list[0].addr, request->sg_list[1].addr));
    }

    [Fact]
    public void H9_EveryImmediateThatWasTakenIsPostedAgainOnce() => Gen.Int[0, 300].List[1, 40].Sample(static taken =>
    {
        const int Count = 300;
        using var device = new TableDevice();
        using var receives = new ImmediateReceives(device.Receives, Count, "test");
        Assert.Equal(Count, device.Posted);
        foreach (int arrived in taken)
        {
            receives.Missing += arrived;
            Assert.Equal(0, receives.Repost());
            Assert.Equal(0, receives.Missing);
        }

        Assert.Equal(Count + taken.Sum(), device.Posted);
    });

    [Fact]
    public void H9_CreditsHoldAcrossTheEndOfTheirNumbers() => Gen.Select(Gen.UInt, Gen.Int[8, 4096]).Sample(static (start, window) =>
    {
        VerbsConnection connection = NewConnection();
        connection.ImmediatesSent = connection.MessagesSent = start;
        connection.ImmediateLimit = connection.MessageLimit = unchecked(start + (uint)window);
        int immediates = 0, messages = 0;
        for (; connection.MaySendImmediate && immediates <= window; immediates++)
            connection.ImmediatesSent++;
        for (; connection.MaySendMessage && messages <= window; messages++)
            connection.MessagesSent++;
        Assert.Equal((window, window), (immediates, messages));
    });

    [Fact]
    public void T5_WhatEndsAfterTheFirstCauseIsFoldedIntoIt()
    {
        VerbsConnection connection = NewConnection();
        // While it lives: the status is the cause, and a flush means that the other end broke.
        Assert.Equal((FabricStatus.RemoteAccess, IBV.IBV_WC_REM_ACCESS_ERR), connection.HowEnded(IBV.IBV_WC_REM_ACCESS_ERR));
        Assert.Equal((FabricStatus.RouteDown, IBV.IBV_WC_WR_FLUSH_ERR), connection.HowEnded(IBV.IBV_WC_WR_FLUSH_ERR));
        connection.State = ConnectionState.Draining;
        // A fault of one write: others were flushed by it, and one that has a fault of its own keeps that.
        (connection.Cause, connection.CauseCode) = (FabricStatus.RemoteAccess, IBV.IBV_WC_REM_ACCESS_ERR);
        Assert.Equal((FabricStatus.Flushed, IBV.IBV_WC_REM_ACCESS_ERR), connection.HowEnded(IBV.IBV_WC_WR_FLUSH_ERR));
        Assert.Equal((FabricStatus.LocalAccess, IBV.IBV_WC_LOC_PROT_ERR), connection.HowEnded(IBV.IBV_WC_LOC_PROT_ERR));
        // The way or the NIC is gone: that is how all of it ended.
        (connection.Cause, connection.CauseCode) = (FabricStatus.RouteDown, VerbsErrors.Fenced);
        Assert.Equal((FabricStatus.RouteDown, VerbsErrors.Fenced), connection.HowEnded(IBV.IBV_WC_WR_FLUSH_ERR));
        Assert.Equal((FabricStatus.RouteDown, VerbsErrors.Fenced), connection.HowEnded(IBV.IBV_WC_RETRY_EXC_ERR));
        (connection.Cause, connection.CauseCode) = (FabricStatus.NicDown, VerbsErrors.PortDown);
        Assert.Equal((FabricStatus.NicDown, VerbsErrors.PortDown), connection.HowEnded(IBV.IBV_WC_WR_FLUSH_ERR));
    }

    [Theory]
    [InlineData(4096, 1024, 3)]
    [InlineData(256, 4096, 1)]
    [InlineData(4096, 4096, 5)]
    public void T8_AQueuePairTakesTheSmallerPayloadAndEachSidesOwnPacketNumbers(int own, int remote, int code)
    {
        var options = new VerbsOptions { AckTimeoutExponent = 17, RetryCount = 3, ServiceLevel = 5, TrafficClass = 104 };
        var port = new VerbsPort
        {
            Device = "test",
            Number = 2,
            IsEthernet = true,
            IsActive = true,
            Gid = IPAddress.Parse("::ffff:10.0.0.1"),
            GidIndex = 3,
            PartitionIndex = 0,
            Lid = 0,
            Mtu = own,
            MaxMessageLength = 1 << 30,
            GigabitsPerSecond = 100,
        };
        var there = new VerbsAddress(IPAddress.Parse("::ffff:10.0.0.2"), 0, 17, 1, 1);
        ibv_qp_attr receive = QueuePair.ToReceive(port, there, 0x1234, 0xabcdef, remote, options), send = QueuePair.ToSend(0x654321, options);
        Assert.Equal((code, 0x1234u, 0xabcdefu), (receive.path_mtu, receive.dest_qp_num, receive.rq_psn));
        Assert.Equal((0x654321u, (byte)17, (byte)3), (send.sq_psn, send.timeout, send.retry_cnt));
        Assert.Equal(((byte)2, (byte)5, (byte)104, (byte)3), (receive.ah_attr.port_num, receive.ah_attr.sl, receive.ah_attr.grh.traffic_class, receive.ah_attr.grh.sgid_index));
        Assert.Equal((byte)2, receive.ah_attr.grh.dgid.raw[15]);
    }

    [Fact]
    public void SlotsComeAndGoInTheirOrderAndALateCompletionIsNobodys() => Gen.Int[0, 2].List[0, 200].Sample(static steps =>
    {
        const int Slots = 5;
        using var table = new WriteTable(Slots);
        VerbsConnection owner = NewConnection();
        SlotList list = SlotList.Empty;
        var model = new Queue<(int Slot, uint Sequence)>();
        foreach (int step in steps)
        {
            if (step != 0)
            {
                int slot = table.TryTake(owner);
                Assert.Equal(model.Count == Slots, slot < 0);
                if (slot < 0)
                    continue;
                Assert.DoesNotContain(model, one => one.Slot == slot);
                table.Append(ref list, slot);
                model.Enqueue((slot, table.StateOf(slot).Sequence));
            }
            else if (model.TryDequeue(out (int Slot, uint Sequence) first))
            {
                Assert.Equal(first.Slot, table.TakeFirst(ref list));
                var id = WorkId.From(WorkId.Pack(WorkKind.Write, first.Slot, first.Sequence));
                Assert.Same(owner, table.OwnerOf(id));
                table.Return(first.Slot);
                Assert.Null(table.OwnerOf(id));
            }

            Assert.Equal(model.Count, table.InUse);
            Assert.Equal(model.Count == 0, list.IsEmpty);
        }
    });

    private static VerbsConnection NewConnection() => new(null!, 1, null!, null!);

    /// <summary>A queue pair and a shared receive queue that write down what is posted to them.</summary>
    private sealed class TableDevice : IDisposable
    {
        private readonly ibv_context* _context = (ibv_context*)NativeMemory.AllocZeroed((nuint)sizeof(ibv_context));
        private readonly GCHandle _self;

        public TableDevice()
        {
            _self = GCHandle.Alloc(this);
            _context->ops.post_send = &PostSend;
            _context->ops.post_srq_recv = &PostReceive;
            Queue = (ibv_qp*)NativeMemory.AllocZeroed((nuint)sizeof(ibv_qp));
            Queue->context = _context;
            Queue->qp_context = (void*)GCHandle.ToIntPtr(_self);
            Receives = (ibv_srq*)NativeMemory.AllocZeroed((nuint)sizeof(ibv_srq));
            Receives->context = _context;
            Receives->srq_context = (void*)GCHandle.ToIntPtr(_self);
        }

        public ibv_qp* Queue { get; }

        public ibv_srq* Receives { get; }

        /// <summary>The requests of the last chain.</summary>
        public List<ibv_send_wr> Sent { get; } = [];

        /// <summary>Receives posted in all.</summary>
        public int Posted { get; private set; }

        public void Dispose()
        {
            NativeMemory.Free(Queue);
            NativeMemory.Free(Receives);
            NativeMemory.Free(_context);
            _self.Free();
        }

        [UnmanagedCallersOnly]
        private static int PostSend(ibv_qp* queue, ibv_send_wr* first, ibv_send_wr** bad)
        {
            List<ibv_send_wr> sent = ((TableDevice)GCHandle.FromIntPtr((nint)queue->qp_context).Target!).Sent;
            sent.Clear();
            for (; first is not null && sent.Count < 1000; first = first->next)
                sent.Add(*first);
            return 0;
        }

        [UnmanagedCallersOnly]
        private static int PostReceive(ibv_srq* queue, ibv_recv_wr* first, ibv_recv_wr** bad)
        {
            var device = (TableDevice)GCHandle.FromIntPtr((nint)queue->srq_context).Target!;
            for (int i = 0; first is not null && i < 1000; i++, first = first->next)
                device.Posted++;
            return 0;
        }
    }
}
