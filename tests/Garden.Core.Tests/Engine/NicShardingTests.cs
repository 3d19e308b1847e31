using CsCheck;

namespace Garden.Core.Tests.Engine;

public sealed class NicShardingTests
{
    private const int Unit = TransferUnits.BytesPerUnit;

    [Fact]
    public void L1_SharesTileEveryLengthOverEveryNumberOfLanes() => Gen.Select(Gen.Long[0, 200_000], Gen.Int[1, 8]).Sample((length, shares) =>
    {
        long next = 0;
        for (int i = 0; i < shares; i++)
        {
            (long offset, long share) = NicSharding.Share(length, shares, i);
            Assert.Equal(next, offset);
            Assert.True(share >= 0);
            next = offset + share;
        }

        Assert.Equal(length, next);
    });

    [Theory]
    [InlineData(16385, 2)]
    [InlineData(32771, 4)]
    [InlineData(131075, 2)]
    // The even share is whole units here, so that rounding up to units does not hide a remainder that was dropped.
    [InlineData(131073, 2)]
    [InlineData(262147, 4)]
    [InlineData(524295, 8)]
    public void L1_TailsThatOtherEnginesLostAreKept(long length, int lanes) =>
        Assert.Equal(length, Enumerable.Range(0, lanes).Sum(i => NicSharding.Share(length, lanes, i).Length));

    [Fact]
    public void L4_PiecesTileLengthsBeyondFourGigabytesAndKeepTheUnits() =>
        Gen.Select(Gen.Long[1, (4L << 30) + 200_000], Gen.Long[Unit, 128L << 20]).Sample(
            (length, limit) =>
            {
                var rest = WriteDescriptor.Create(new RegionHandle(1, 1), 7, new RegionHandle(2, 1), 11, length, Immediate.ForCounter(3, 1), (uint)TransferUnits.OfRun(length));
                long next = 0, units = 0;
                bool more = true;
                while (more)
                {
                    more = NicSharding.TakePiece(ref rest, limit, out WriteDescriptor piece);
                    Assert.Equal(7 + next, piece.SourceOffset);
                    Assert.Equal(11 + next, piece.DestinationOffset);
                    Assert.InRange(piece.Length, 1, limit);
                    Assert.InRange(piece.Units, 1u, (uint)TransferUnits.MaxPerWrite);
                    next += piece.Length;
                    units += piece.Units;
                }

                Assert.Equal(length, next);
                Assert.Equal(TransferUnits.OfRun(length), units);
            },
            iter: 2000);

    [Fact]
    public void CoalescedWritesKeepTheirUnitsWhenCut()
    {
        // 300 pages of 3 bytes in one write, on a NIC that takes 64 KiB at a time: no cut, all units.
        var rest = WriteDescriptor.Create(default, 0, default, 0, 900, Immediate.ForCounter(0, 0), 300);
        Assert.False(NicSharding.TakePiece(ref rest, Unit, out WriteDescriptor piece));
        Assert.Equal(300u, piece.Units);
        // 3 pages of 96 KiB are 6 units; cut at 64 KiB there are 5 pieces and still 6 units.
        rest = WriteDescriptor.Create(default, 0, default, 0, 3 * 96 * 1024, Immediate.ForCounter(0, 0), 6);
        long units = 0;
        int pieces = 1;
        while (NicSharding.TakePiece(ref rest, Unit, out piece))
        {
            units += piece.Units;
            pieces++;
        }

        Assert.Equal((5, 6L), (pieces, units + piece.Units));
    }

    [Fact]
    public void UsersNumbersAreNeverCut()
    {
        var rest = WriteDescriptor.Create(default, 0, default, 0, 10L << 30, Immediate.FromNumber(5), 1);
        Assert.False(NicSharding.TakePiece(ref rest, long.MaxValue, out WriteDescriptor piece));
        Assert.Equal(10L << 30, piece.Length);
    }

    [Fact]
    public void EveryNicOfBothSidesIsOnALane()
    {
        for (int local = 1; local <= 8; local++)
        {
            for (int remote = 1; remote <= 8; remote++)
            {
                var lanes = Enumerable.Range(0, NicSharding.LaneCount(local, remote)).Select(lane => NicSharding.Lane(lane, local, remote)).ToList();
                Assert.Equal(local, lanes.Select(lane => lane.LocalNic).Distinct().Count());
                Assert.Equal(remote, lanes.Select(lane => lane.RemoteNic).Distinct().Count());
            }
        }

        Assert.Throws<ArgumentOutOfRangeException>(() => NicSharding.LaneCount(0, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => NicSharding.LaneCount(1, 9));
    }

    [Fact]
    public void TheLaneWithMostCreditsIsChosen()
    {
        Assert.Equal(2, NicSharding.LaneWithMostCredits([1, 0, 5, 5]));
        Assert.Equal(-1, NicSharding.LaneWithMostCredits([0, 0]));
    }
}
