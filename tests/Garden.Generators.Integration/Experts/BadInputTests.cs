using System.Runtime.InteropServices;
using Garden.Experts;

namespace Garden.Generators.Integration.Experts;

/// <summary>Every wrong input of the CPU form is named before anything is written past a span.</summary>
public sealed class BadInputTests
{
    private static readonly ExpertGroup s_group = ExpertGroup.Of<EightTopTwo>(4, 4, 2, 1);

    [Theory]
    [InlineData(new[] { 0, 8 }, "Token 0 chooses expert 8")]
    [InlineData(new[] { 0, 1, -2, 0 }, "Token 1 chooses expert -2")]
    [InlineData(new[] { 5, 5 }, "Token 0 chooses expert 5 twice")]
    [InlineData(new[] { 0, 1, 2 }, "3 choices")]
    [InlineData(new[] { 0, 1, 0, 1, 0, 1 }, "6 choices are not those of up to 2 tokens")]
    public void Choices_that_cannot_be(int[] topK, string message) => Refused(
        message, () => ExpertDispatch.Count<EightTopTwo>(s_group, topK, new int[4], new int[8], new int[topK.Length], new int[topK.Length]));

    [Fact]
    public void Spans_of_the_wrong_length()
    {
        Refused("'rows' has 3 entries; 4", () => ExpertDispatch.Count<EightTopTwo>(s_group, [], new int[3], new int[8], [], []));
        Refused("'selections' has 7", () => ExpertDispatch.Count<EightTopTwo>(s_group, [], new int[4], new int[7], [], []));
        Refused("'slots' has 1", () => ExpertDispatch.Count<EightTopTwo>(s_group, [], new int[4], new int[8], new int[1], []));
        Refused("'ordinals' has 1", () => ExpertDispatch.Count<EightTopTwo>(s_group, [], new int[4], new int[8], [], new int[1]));
        Refused("'combineRows' has 5", () => ExpertDispatch.CombineRows(new int[4], new int[5]));
        Refused("'line' has 127", () => ExpertDispatch.WriteLine<EightTopTwo>(s_group, 0, 1, 0, 0, new int[8], new byte[127]));
        Refused("'row' has 31", () => ExpertDispatch.WriteSelections<EightTopTwo>(s_group, 0, new int[2], new int[2], new float[2], new byte[31]));
        Refused("'counts' has 7", () => ExpertReceive.Pack<EightTopTwo>(s_group, 0, new int[7], new int[3], new int[7]));
        Refused("'expertRows' has 2", () => ExpertReceive.Pack<EightTopTwo>(s_group, 0, new int[8], new int[2], new int[8]));
        Refused("'sourceRows' has 9", () => ExpertReceive.Slabs<EightTopTwo>(s_group, 0, new int[9]));
        Refused("'inverse' has 3", () => ExpertReceive.Place<EightTopTwo>(s_group, 0, new int[2], new int[2], new int[3]));
        Refused("'sources' has 0", () => ExpertCombine.Sources<EightTopTwo>(s_group, new int[2], new int[2], new int[4], []));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(4)]
    [InlineData(int.MaxValue)]
    public void Ranks_that_do_not_exist(int rank)
    {
        string message = $"Rank {rank} is outside [0, 4)";
        Refused(message, () => ExpertDispatch.WriteLine<EightTopTwo>(s_group, rank, 1, 0, 0, new int[8], new byte[128]));
        Refused(message, () => ExpertDispatch.WriteSelections<EightTopTwo>(s_group, rank, new int[2], new int[2], new float[2], new byte[32]));
        Refused(message, () => ExpertReceive.ReadLine<EightTopTwo>(s_group, rank, new byte[128], new int[2]));
        Refused(message, () => ExpertReceive.Pack<EightTopTwo>(s_group, rank, new int[8], new int[3], new int[8]));
        Refused(message, () => ExpertReceive.Slabs<EightTopTwo>(s_group, rank, new int[8]));
        Refused(message, () => ExpertReceive.Place<EightTopTwo>(s_group, rank, [], new int[2], []));
    }

    [Theory]
    [InlineData(3, 0, 3, 3, 0)]
    [InlineData(-1, 0, 0, 0, 0)]
    [InlineData(int.MinValue, 0, 0, 0, 0)]
    [InlineData(2, 3, 2, 2, 0)]
    [InlineData(2, -1, 2, 2, 0)]
    [InlineData(2, 0, 3, 2, 0)]
    [InlineData(2, 0, 3, 3, 0)]
    [InlineData(2, 0, 1, 1, 0)]
    [InlineData(2, 0, 0, -1, 1)]
    public void Lines_that_cannot_be(int rows, int combineRow, int selections, int first, int second)
    {
        byte[] line = new byte[128];
        MemoryMarshal.Write(line, new ExpertRankHeader { Rows = rows, CombineRow = combineRow, Selections = selections });
        MemoryMarshal.Write(line.AsSpan(ExpertRankHeader.SizeInBytes), first);
        MemoryMarshal.Write(line.AsSpan(ExpertRankHeader.SizeInBytes + 4), second);
        Refused("that cannot be in this group", () => ExpertReceive.ReadLine<EightTopTwo>(s_group, 0, line, new int[2]));
    }

    [Fact]
    public void Counts_and_experts_that_cannot_be()
    {
        Refused("Source 1 counts 3 rows for local expert 0", () => ExpertReceive.Pack<EightTopTwo>(s_group, 0, [0, 0, 3, 0, 0, 0, 0, 0], new int[3], new int[8]));
        Refused("Source 0 counts -1", () => ExpertReceive.Pack<EightTopTwo>(s_group, 0, [0, -1, 0, 0, 0, 0, 0, 0], new int[3], new int[8]));
        Refused("slot 1 names local expert 2", () => ExpertReceive.Place<EightTopTwo>(s_group, 0, [0, -1, 2, -1], new int[2], new int[4]));
        Refused("or place 2 in it", () => ExpertReceive.Place<EightTopTwo>(s_group, 0, [ExpertSelection.Pack(1, 2), -1], new int[2], new int[2]));
    }

    private static void Refused(string message, Action action) => Assert.Contains(message, Assert.Throws<PlanException>(action).Message);
}
