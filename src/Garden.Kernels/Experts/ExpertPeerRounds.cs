namespace Garden.Kernels.Experts;

/// <summary>How far two ranks of different nodes have come with one another, as one of them sees it. Guarded by the exchange.</summary>
/// <remarks>
/// Protocol. In each round a rank tells another one thing: here are rows, or there are none. Each gets one answer: here are results, or
/// there are none. Nothing is told before what was told is answered, so a slot has one owner at a time: the source until its rows are
/// here, then the receiver, who puts the results there, until they have arrived. What was told counts rounds, also those in which the source
/// gave this rank up: it tells them late, and rows only when that is answered. So a count of immediates is a round, in whatever order
/// they come, and whoever was slow finds back.
/// </remarks>
internal sealed class ExpertPeerRounds(uint round)
{
    private uint _rowsTold = round;

    /// <summary>The last round that the peer was told about, or is to be.</summary>
    public uint Told { get; private set; } = round;

    /// <summary>Rounds without rows that are to be told once everything is answered.</summary>
    public uint Untold { get; private set; }

    /// <summary>Those of them that are being posted.</summary>
    public uint Telling { get; private set; }

    /// <summary>What was told and is not answered.</summary>
    public uint Unanswered { get; private set; }

    /// <summary>The last round that the peer told about.</summary>
    public uint Heard { get; private set; } = round;

    /// <summary>True while its rows of that round are here and not answered.</summary>
    public bool HasRows { get; private set; }

    /// <summary>The last round that this rank has ended with the peer: with results, or without.</summary>
    public uint Ended { get; private set; } = round;

    /// <summary>Answers to post that there are no results.</summary>
    public uint Refusals { get; private set; }

    /// <summary>True when there is something to post that no kernel asks for.</summary>
    public bool IsInDebt => Refusals != 0 || Telling != 0;

    /// <summary>True when rows of the round are to be posted; if not, it is counted as one without.</summary>
    public bool TellsRows(uint round, bool hasRows)
    {
        int rounds = (int)(round - Told);
        if (rounds <= 0)
            return false;
        // A kernel stages rows only when everything before was told and answered.
        if (rounds == 1 && hasRows)
            return true;
        Told = round;
        Untold += (uint)rounds;
        TellUntold();
        return false;
    }

    public void RowsTold(uint round)
    {
        Told = _rowsTold = round;
        Unanswered = 1;
    }

    public void NoRowsTold() => Telling--;

    /// <summary>Answers have come: the round whose results they are, or 0. Afterwards rows may be sent when nothing is unanswered.</summary>
    public uint Answer(uint answers, bool hasResults)
    {
        Unanswered -= Math.Min(answers, Unanswered);
        TellUntold();
        return hasResults ? _rowsTold : 0;
    }

    /// <summary>True when the peer has said that no results of the round come, or was sent no rows in it.</summary>
    public bool HasNoResults(uint round) => (int)(Told - round) >= 0 && (_rowsTold != round || Unanswered == 0);

    /// <summary>Rows have come; true when they are for a round that has not ended here.</summary>
    public bool HearRows(uint rounds)
    {
        Heard += rounds;
        HasRows = (int)(Heard - Ended) > 0;
        if (!HasRows)
            Refusals++;
        return HasRows;
    }

    public void HearNoRows(uint rounds)
    {
        Heard += rounds;
        Refusals += rounds;
    }

    /// <summary>True when results of the round are to be posted; if not, the peer gets none in it.</summary>
    public bool Answers(uint round, bool hasResults)
    {
        if ((int)(round - Ended) <= 0)
            return false;
        if (hasResults && HasRows && Heard == round)
            return true;
        Ended = round;
        if (!HasRows || (int)(Heard - round) > 0)
            return false;
        HasRows = false;
        Refusals++;
        return false;
    }

    public void ResultsTold(uint round)
    {
        Ended = round;
        HasRows = false;
    }

    public void RefusalTold() => Refusals--;

    private void TellUntold()
    {
        if (Unanswered != 0 || Untold == 0)
            return;
        Unanswered = Telling = Untold;
        Untold = 0;
    }
}
